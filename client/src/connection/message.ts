/** A message as it was sent: text or bytes. */
export type Message = string | Uint8Array;

/** @internal Why a value is no message, for callers without types; `undefined` if it is one. */
export function messageProblem(message: unknown): TypeError | undefined {
  if (typeof message === "string" || message instanceof Uint8Array) return undefined;
  return new TypeError("Cannot send this: a message is a string or a Uint8Array");
}
