import { routerLimits } from "@messagepasser/protocol";

/**
 * How many calls a shard makes, to all others together. A WebSocket keeps both its objects in memory, but an object that makes
 * many calls is in memory anyway, so that each of its WebSockets costs nothing: however few calls go to each of many shards.
 */
export class CallsMade {
  #count = 0;
  #sinceMs = 0;
  #busyUntilMs = 0;

  count(nowMs: number): void {
    // The clock may be set back.
    if (Math.abs(nowMs - this.#sinceMs) >= 1_000) {
      this.#sinceMs = nowMs;
      this.#count = 0;
    }
    if (++this.#count >= routerLimits.maxRpcCallsPerSecond)
      this.#busyUntilMs = nowMs + routerLimits.busyCallSocketIdleMs;
  }

  /** Whether there were many calls in a second not long ago. */
  isBusy(nowMs: number): boolean {
    return nowMs < this.#busyUntilMs;
  }

  /** For how many milliseconds a WebSocket to another shard may have no calls. */
  mostQuietMs(nowMs: number): number {
    return this.isBusy(nowMs) ? routerLimits.busyCallSocketIdleMs : routerLimits.callSocketIdleMs;
  }
}

/** Calls to one other shard. */
export class CallRate {
  readonly #made: CallsMade;
  #lastMs = -Infinity;

  constructor(made: CallsMade) {
    this.#made = made;
  }

  /** Counts a call. @returns whether a WebSocket for the next ones costs less */
  count(nowMs: number): boolean {
    const isFirst = Math.abs(nowMs - this.#lastMs) >= 1_000;
    this.#lastMs = nowMs;
    this.#made.count(nowMs);
    return !isFirst && this.#made.isBusy(nowMs);
  }
}
