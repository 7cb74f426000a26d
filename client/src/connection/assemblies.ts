import type { Quota } from "./quota.ts";

/** A receiver that puts the pieces of a message together. */
export interface Assembler {
  /** Goes on with what waits: there may be room for it now. */
  serve(): void;
}

/**
 * The unfinished messages from one principal. Past their quota only one of them grows. The pieces of the others stay in
 * their windows, where they make their senders wait, until it is finished.
 */
export class Assemblies {
  readonly #held: Quota;
  readonly #waiting = new Set<Assembler>();
  /** The one that grows past the quota. */
  #first: Assembler | undefined;
  #isServing = false;

  constructor(held: Quota) {
    this.#held = held;
  }

  /** Whether a message may get another piece now. Where it may not, `serve` is called when it may. */
  mayGrow(assembler: Assembler): boolean {
    if (!this.#held.isFull) return true;
    this.#first ??= assembler;
    if (this.#first === assembler) return true;
    this.#waiting.add(assembler);
    return false;
  }

  /** Whether the unfinished messages of all principals together are past their bound by this many bytes. */
  isPastBy(bytes: number): boolean {
    return this.#held.isPastBy(bytes);
  }

  add(bytes: number): void {
    this.#held.add(bytes);
  }

  /** A message of this many bytes is finished or thrown away, or nobody waits for it any more. */
  release(assembler: Assembler, bytes: number): void {
    this.#held.add(-bytes);
    this.#waiting.delete(assembler);
    if (this.#first === assembler) this.#first = undefined;
    // The loop below goes on with what this one has made room for.
    if (this.#isServing) return;
    this.#isServing = true;
    for (const waiting of this.#waiting) {
      if (this.#first !== undefined && this.#held.isFull) break;
      this.#waiting.delete(waiting);
      waiting.serve();
    }
    this.#isServing = false;
  }
}
