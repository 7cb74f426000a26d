/**
 * Bytes from outside broke a rule of the protocol. The message tells the rule and, if that helps, the position in the batch.
 * It never quotes the bytes.
 */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  /** The position in the batch, in bytes from its start, if that helps. */
  readonly offset: number | undefined;

  constructor(problem: string, offset?: number) {
    super(offset === undefined ? problem : `${problem} at byte ${offset}`);
    this.offset = offset;
  }
}
