import { limits } from "@messagepasser/protocol";

/** The rate of a link's opens, resumes and checks: a token bucket of `maxOpensAtOnce`, filled by `maxOpensPerSecond`. */
export class OpenRate {
  #left: number = limits.maxOpensAtOnce;
  #countedAtMs = 0;

  /** Counts one more; false if it is over the rate. */
  take(nowMs: number): boolean {
    // A clock that was set back changes nothing.
    const passedMs = Math.max(0, nowMs - this.#countedAtMs);
    this.#left = Math.min(limits.maxOpensAtOnce, this.#left + (passedMs * limits.maxOpensPerSecond) / 1_000);
    this.#countedAtMs = nowMs;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}
