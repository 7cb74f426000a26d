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
  if (message instanceof Uint8Array || isForeignBytes(message))
    return message.length > 0 || hasBuffer(message) ? undefined : lostBuffer();
  return new TypeError("Cannot send this: a message is a string or a Uint8Array");
}

/** @internal The error for bytes that are no longer there. */
export function lostBuffer(): TypeError {
  return new TypeError("Cannot send this: its buffer is gone");
}

/** An iframe and a `vm` context have a Uint8Array of their own. */
function isForeignBytes(value: unknown): value is Uint8Array {
  return ArrayBuffer.isView(value) && (value as Uint8Array)[Symbol.toStringTag] === "Uint8Array";
}

/** Whether an empty array is empty by itself: methods throw where its buffer is gone. */
function hasBuffer(bytes: Uint8Array): boolean {
  try {
    bytes.indexOf(0);
    return true;
  } catch {
    return false;
  }
}
