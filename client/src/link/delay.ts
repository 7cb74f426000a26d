import { targetMs } from "./allowance.ts";

/** How often what waits is let off, to see how long the way is: at least so many ms, and so many ways. */
const [leastPeriodMs, periodWays] = [5_000, 100];

/**
 * How long the way to the router and back is, while nothing waits on it: the least of the last round trips. Where something
 * always waits, even the least has waited. So there is a drain now and then, in which little may be under way. Pure.
 */
export class LinkDelay {
  /** The least of this period, and of the one before. Each ends with a drain. */
  #leastMs = Infinity;
  #leastBeforeMs = Infinity;
  #drainMs = Infinity;

  get wayMs(): number {
    return Math.min(this.#leastMs, this.#leastBeforeMs);
  }

  /** Whether little may be under way now. @param mostMs for how long at most, where nothing comes that would end it. */
  isDraining(nowMs: number, mostMs = Infinity): boolean {
    return nowMs >= this.#drainMs && nowMs < this.#drainMs + mostMs;
  }

  /** The way itself has become longer. */
  restart(roundTripMs: number): void {
    this.#leastMs = this.#leastBeforeMs = roundTripMs;
  }

  /** A round trip was measured. */
  add(roundTripMs: number, nowMs: number, wayMs = Math.min(this.wayMs, roundTripMs)): void {
    this.#leastMs = Math.min(this.#leastMs, roundTripMs);
    const isDrained = nowMs > this.#drainMs + wayMs + targetMs;
    if (isDrained) [this.#leastBeforeMs, this.#leastMs] = [this.#leastMs, Infinity];
    if (isDrained || this.#drainMs === Infinity) this.#drainMs = nowMs + Math.max(leastPeriodMs, periodWays * wayMs);
  }
}
