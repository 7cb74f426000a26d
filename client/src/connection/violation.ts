/** The other end broke a rule of flow control or of framing. */
export class Violation extends Error {
  override readonly name = "Violation";
}
