import { ProtocolError } from "@messagepasser/protocol";
import type { OriginalMessage } from "./original.ts";

/** Takes messages out of a stream of bytes that TCP may cut anywhere, and writes others for the way back. */
export interface MessageStream {
  /** The most bytes of one message on the wire. A longer one is refused before memory is taken for it. */
  maxBytes: number;
  /** The messages that are whole with these bytes. They may be views on them. @throws ProtocolError */
  read(chunk: Uint8Array): Iterable<OriginalMessage>;
  /** A message as bytes. What has to go before the first one goes with it. */
  write(message: OriginalMessage): Uint8Array | string;
}

/** What both ways to write refuse in the same words. */
export function tooLong(bytes: number, maxBytes: number): ProtocolError {
  return new ProtocolError(`A message of ${bytes} bytes or more, of which at most ${maxBytes} are taken`);
}
