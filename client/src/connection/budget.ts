import { limits } from "@messagepasser/protocol";

/** What a client may grant to all its peers together, and what it has granted. The router tells how much that is. */
export class Budget {
  /** In bytes; may fall below what is granted, and then no more is until enough has come back. */
  totalBytes: number = limits.maxBudgetBytes;
  #grantedBytes = 0;

  /** Grants up to `wanted` bytes: half of what is free at most, so that others get some too, but `atLeast` in any case. */
  take(wanted: number, atLeast: number): number {
    const free = this.totalBytes - this.#grantedBytes;
    const granted = Math.max(atLeast, Math.min(wanted, Math.floor(free / 2)), 0);
    this.#grantedBytes += granted;
    return granted;
  }

  /** Takes back what was granted: it was used up, or will not be used. */
  give(bytes: number): void {
    this.#grantedBytes -= bytes;
  }

  /** Whether so much more can be granted. */
  has(bytes: number): boolean {
    return this.totalBytes - this.#grantedBytes >= bytes;
  }
}

/** What a client keeps for all its peers together: of what it has sent, or of what came from those that don't count. */
export interface KeptTotal {
  bytes: number;
  readonly maxBytes: number;
}

/**
 * What is kept for one peer. It may be as much as is free after it: so one that acknowledges nothing gets half of all, the
 * next such one half of what is left, and there is always something for others.
 */
export class Kept {
  readonly #total: KeptTotal;
  #bytes = 0;

  constructor(total: KeptTotal) {
    this.#total = total;
  }

  get isFull(): boolean {
    return this.#bytes > 0 && this.#bytes >= this.#total.maxBytes - this.#total.bytes;
  }

  /** @param bytes negative for what is no longer kept. */
  add(bytes: number): void {
    this.#bytes += bytes;
    this.#total.bytes += bytes;
  }
}
