import { limits } from "@messagepasser/protocol";

/** Where a receiver gets what it grants. */
export interface Grants {
  /** Takes up to `wanted` bytes, and `atLeast` in any case. Returns how many. */
  take(wanted: number, atLeast: number): number;
  /** Gives back what was taken: it was used up, or will not be used. */
  give(bytes: number): void;
  /** Whether this many more bytes can be taken. */
  has(bytes: number): boolean;
}

/** How much a client may grant to all its peers together, as the router says, and how much it has granted. */
export class Budget implements Grants {
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

  get freeBytes(): number {
    return this.#totalBytes - this.#grantedBytes;
  }

  /** Half of what is free at most, so that others get some too. */
  take(wanted: number, atLeast: number): number {
    const granted = Math.max(atLeast, Math.min(wanted, Math.floor(this.freeBytes / 2)), 0);
    this.#grantedBytes += granted;
    return granted;
  }

  give(bytes: number): void {
    this.#grantedBytes -= bytes;
  }

  has(bytes: number): boolean {
    return this.freeBytes >= bytes;
  }
}

/** The part of a budget that one principal gets: three quarters of what the others leave, so that some is left for others. */
export class Share implements Grants {
  readonly #budget: Budget;
  #grantedBytes = 0;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  get isEmpty(): boolean {
    return this.#grantedBytes === 0;
  }

  take(wanted: number, atLeast: number): number {
    const granted = this.#budget.take(Math.min(wanted, this.#freeBytes), atLeast);
    this.#grantedBytes += granted;
    return granted;
  }

  give(bytes: number): void {
    this.#grantedBytes -= bytes;
    this.#budget.give(bytes);
  }

  has(bytes: number): boolean {
    return this.#freeBytes >= bytes && this.#budget.has(bytes);
  }

  get #freeBytes(): number {
    const most = ((this.#budget.freeBytes + this.#grantedBytes) * 3) / 4;
    return Math.floor(most) - this.#grantedBytes;
  }
}
