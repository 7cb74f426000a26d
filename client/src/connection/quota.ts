/** Bytes that a client keeps for all its peers together: unacknowledged, or received from senders that don't count credit. */
export interface QuotaTotal {
  bytes: number;
  readonly maxBytes: number;
}

/**
 * The bytes kept for one peer: at most as many as stay free. A peer that acknowledges nothing thus gets half of the total,
 * the next such peer half of the rest, and some is always left for others.
 */
export class Quota {
  readonly #total: QuotaTotal;
  #bytes = 0;

  constructor(total: QuotaTotal) {
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
