// What the runtime gives, in the shapes that the router needs.

/** A random number that no client can guess. */
export function randomU32(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
}

/** Calls back once, later. Until then the object is awake. */
export function after(delayMs: number, callback: () => void): void {
  setTimeout(callback, delayMs);
}
