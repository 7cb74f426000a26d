/** A message as it was sent: text or bytes. */
export type Message = string | Uint8Array;

/** @internal Why a value is no message, for callers without types; `undefined` if it is one. */
export function messageProblem(message: unknown): TypeError | undefined {
  if (typeof message === "string") {
    // UTF-8 has no lone surrogates: the peer would receive another text.
    return message.isWellFormed()
      ? undefined
      : new TypeError("Cannot send this: a message of text must be well-formed Unicode");
  }
  if (message instanceof Uint8Array) return undefined;
  // An iframe and a `vm` context have a Uint8Array of their own.
  if (ArrayBuffer.isView(message) && (message as Uint8Array)[Symbol.toStringTag] === "Uint8Array") return undefined;
  return new TypeError("Cannot send this: a message is a string or a Uint8Array");
}
