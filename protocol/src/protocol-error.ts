/**
 * Bytes from outside broke a rule of the protocol.
 * The message says which rule and at which byte of the batch; it never quotes the bytes.
 */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  /** Where in the batch, in bytes from its start. */
  readonly offset: number;

  constructor(problem: string, offset: number) {
    super(`${problem} at byte ${offset}`);
    this.offset = offset;
  }
}
