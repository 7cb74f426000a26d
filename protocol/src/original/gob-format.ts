import { subprotocols } from "../handshake.ts";
import { ProtocolError } from "../protocol-error.ts";
import { encodeGob, gobDefinition, GobReader } from "./gob.ts";
import type { NamedFormat } from "../formats/named.ts";
import { originalFormat } from "./format.ts";

/** `mp.v0.gob`: values of one Go struct in a gob stream. The router defines its type once, before it says anything. */
export const originalGob: NamedFormat = originalFormat({
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
    const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  },
});

/** Types that a stream has defined hold for the rest of it, also after the router has lost its memory. */
function remember({ definitions }: GobReader, speaker: { formatMemory: Uint8Array }): void {
  if (definitions.length > speaker.formatMemory.length) speaker.formatMemory = definitions;
}
