/** Bytes of one kind that a client keeps for all its peers together. */
export interface QuotaTotal {
  bytes: number;
  readonly maxBytes: number;
}

/**
 * The bytes kept for one principal, a peer with all its guests: at most as many as stay free. A peer that acknowledges
 * nothing thus gets half of the total, the next such peer half of the rest, and some is always left for others.
 */
export class Quota {
  readonly #total: QuotaTotal;
  #bytes = 0;

  constructor(total: QuotaTotal) {
    this.#total = total;
  }

  get isEmpty(): boolean {
    return this.#bytes === 0;
  }

  get isFull(): boolean {
    return this.#bytes > 0 && this.#bytes >= this.#total.maxBytes - this.#total.bytes;
  }

  /** Whether all principals together are past the total by this many bytes. */
  isPastBy(bytes: number): boolean {
    return this.#total.bytes > this.#total.maxBytes + bytes;
  }

  /** @param bytes negative for what is no longer kept. */
  add(bytes: number): void {
    this.#bytes += bytes;
    this.#total.bytes += bytes;
  }
}
