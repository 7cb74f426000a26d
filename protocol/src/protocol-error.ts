/**
 * Bytes from outside broke a rule of the protocol.
 * The message says which rule and, where that helps, at which byte of the batch; it never quotes the bytes.
 */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  /** Where in the batch, in bytes from its start, where that helps. */
  readonly offset: number | undefined;

  constructor(problem: string, offset?: number) {
    super(offset === undefined ? problem : `${problem} at byte ${offset}`);
    this.offset = offset;
  }
}
