/** The other end broke a rule of flow control or of framing. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** What came breaks no rule, but is more than this end takes. */
export class Unfit extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}
