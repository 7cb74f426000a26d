import { subprotocols } from "../handshake.ts";
import { ProtocolError } from "../protocol-error.ts";
import { encodeGob, gobDefinition, GobReader } from "./gob.ts";
import type { NamedFormat } from "./named.ts";
import { originalFormat } from "./original.ts";

/** `mp.v0.gob`: values of one Go struct in a gob stream. The router defines its type once, before it says anything. */
export const originalGob: NamedFormat = originalFormat({
  subprotocol: subprotocols.originalGob,
  preamble: [gobDefinition],
  read: (message, speaker) => {
    if (typeof message === "string") throw new ProtocolError("Text message on a binary format");
    const reader = new GobReader(speaker.formatMemory);
    const messages = reader.read(message);
    if (reader.definitions.length > speaker.formatMemory.length) speaker.formatMemory = reader.definitions;
    return messages;
  },
  write: encodeGob,
});
