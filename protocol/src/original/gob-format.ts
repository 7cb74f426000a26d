import { ByteBuffer } from "../bytes.ts";
import type { NamedFormat } from "../formats/named.ts";
import { subprotocols } from "../handshake.ts";
import { ProtocolError } from "../protocol-error.ts";
import { formatFor } from "./format.ts";
import { encodeGob, gobDefinition, GobReader } from "./gob.ts";

/** `mp.v0.gob`: values of one Go struct in a gob stream. The router defines the struct's type once, before its first value. */
export const gob: NamedFormat = formatFor({
  subprotocol: subprotocols.originalGob,
  preamble: [gobDefinition],
  *read(message, speaker) {
    if (typeof message === "string") throw new ProtocolError("Text message on a binary format");
    const reader = new GobReader(speaker.formatMemory);
    for (const value of reader.read(message)) {
      remember(reader, speaker);
      yield value;
    }
    remember(reader, speaker);
  },
  write: encodeGob,
  join(parts) {
    const whole = new ByteBuffer();
    for (const part of parts) whole.append(part);
    return whole.take();
  },
});

/** A type that a stream has defined is valid for the rest of the stream, also after the router has lost its memory. */
function remember({ definitions }: GobReader, speaker: { formatMemory: Uint8Array }): void {
  if (definitions.length > speaker.formatMemory.length) speaker.formatMemory = definitions;
}
