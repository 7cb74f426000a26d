import type { Waiting } from "../waiting.ts";

/** A message that waits to be sent, or the FIN. */
export interface Pending extends Waiting<void> {
  /** `undefined` for the FIN. */
  bytes: Uint8Array | undefined;
  readonly isText: boolean;
  /** The length of `bytes` when the program sent them. */
  readonly lengthBytes: number;
  /** How much of `bytes` is on its way. */
  sentBytes: number;
}

/** A view of fixed length, without the methods that a program's own subclass of Uint8Array may have. */
export function plainView({ buffer, byteOffset, length }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, length);
}

/** Whether all bytes are still there: none are once the program has transferred their buffer or made it shorter. */
export function isIntact({ bytes, lengthBytes }: Pending): boolean {
  return bytes === undefined || bytes.length === lengthBytes;
}
