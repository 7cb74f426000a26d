import { limits } from "@messagepasser/protocol";

/** How much a client may grant to all its peers together, as the router says, and how much it has granted. */
export class Budget {
  #totalBytes: number = limits.maxBudgetBytes;
  #grantedBytes = 0;

  /** In bytes; may be less than what is granted, and then no more is until enough has come back. */
  get totalBytes(): number {
    return this.#totalBytes;
  }

  /** The router says how many bytes may be granted. No router has room for more than `maxBudgetBytes`, whatever it says. */
  allow(bytes: number): void {
    this.#totalBytes = Math.min(bytes, limits.maxBudgetBytes);
  }

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

  /** Whether this many more bytes can be granted. */
  has(bytes: number): boolean {
    return this.totalBytes - this.#grantedBytes >= bytes;
  }
}
