import { routerLimits } from "@messagepasser/protocol";

/** When a link is told the router's clock, by which its client measures how long data waits: now and then where much goes to it. */
export class ClockTurn {
  #bytes = 0;
  #toldMs = 0;

  /** These bytes are about to go to the link. Returns whether the clock is to go before them. @param now milliseconds since 1970. */
  isDue(bytes: number, now: () => number): boolean {
    this.#bytes += bytes;
    if (this.#bytes < routerLimits.clockEveryBytes) return false;
    const nowMs = now();
    const { clockEveryMs, fastClockEveryMs, fastClockBytes } = routerLimits;
    if (nowMs - this.#toldMs < (this.#bytes < fastClockBytes ? clockEveryMs : fastClockEveryMs)) return false;
    this.told(nowMs);
    return true;
  }

  /** The link is told the clock. @param nowMs milliseconds since 1970. */
  told(nowMs: number): void {
    this.#bytes = 0;
    this.#toldMs = nowMs;
  }
}
