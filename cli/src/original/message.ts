// The message of the original's wire, and what both of its encodings over TCP have in common. FORMATS.md describes the wire.
import { ProtocolError } from "@messagepasser/protocol";
import type { Message } from "@messagepasser/protocol/original";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const noBytes = new Uint8Array();

/** Makes a message. A string as `data` is sent as UTF-8. */
export function messageOf(
  meta: number,
  otherClient: string,
  connectionId = "",
  data: Uint8Array | string = noBytes,
): Message {
  return { meta, otherClient, connectionId, data: typeof data === "string" ? encoder.encode(data) : data };
}

/** The data of a message as text, or `undefined` if it isn't UTF-8. */
export function textOf({ data }: Message): string | undefined {
  try {
    return decoder.decode(data);
  } catch {
    return undefined;
  }
}

/** Reads messages from a stream of bytes that TCP may split anywhere, and writes messages for the way back. */
export interface MessageStream {
  /** The most bytes of one message on the wire. A longer one is refused before memory is taken for it. */
  maxBytes: number;
  /** Yields the messages that these bytes complete. They may be views on the bytes. @throws ProtocolError */
  read(chunk: Uint8Array): Iterable<Message>;
  /** Encodes a message, and whatever has to precede the first one. */
  write(message: Message): Uint8Array | string;
}

/** The error for a message that is longer than a stream reads. */
export function tooLong(bytes: number, maxBytes: number): ProtocolError {
  return new ProtocolError(`A message of ${bytes} bytes or more, where at most ${maxBytes} are allowed`);
}
