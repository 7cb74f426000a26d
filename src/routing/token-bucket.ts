/** A rate: this many tokens at once, and this many more in a second. */
export class TokenBucket {
  readonly #most: number;
  readonly #perSecond: number;
  #left: number;
  #countedAtMs = 0;

  constructor(atOnce: number, perSecond: number) {
    this.#most = atOnce;
    this.#perSecond = perSecond;
    this.#left = atOnce;
  }

  /** Takes tokens; false, without taking any, if there are not enough. */
  take(nowMs: number, count = 1): boolean {
    // A clock that was set back changes nothing.
    const passedMs = Math.max(0, nowMs - this.#countedAtMs);
    this.#left = Math.min(this.#most, this.#left + (passedMs * this.#perSecond) / 1_000);
    this.#countedAtMs = nowMs;
    if (this.#left < count) return false;
    this.#left -= count;
    return true;
  }
}
