import { limits } from "@messagepasser/protocol";

/** How many opens and resumes a link may still send: so many at once, and so many more each second. */
export class OpenRate {
  #left: number = limits.maxOpensAtOnce;
  #countedAtMs = 0;

  /** Whether one more is allowed now; if so it is counted. */
  take(nowMs: number): boolean {
    // A clock that was set back gives nothing and takes nothing.
    const passedMs = Math.max(0, nowMs - this.#countedAtMs);
    this.#left = Math.min(limits.maxOpensAtOnce, this.#left + (passedMs * limits.maxOpensPerSecond) / 1_000);
    this.#countedAtMs = nowMs;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}
