import { limits } from "@messagepasser/protocol";

/** How long what is under way may take to arrive, beyond the way itself: what keeps a fast sender busy, and others waiting little. */
const slackMs = 4;
/** A rate is measured for so long at least: a turn of the event loop takes many batches at once, and then none. */
const leastRoundMs = 10;

/** The shortest round trip that was measured to a peer, over all Connections with it. */
export interface RoundTrip {
  ms: number;
}

/**
 * How much a peer may have under way on one Connection: grows to what the Connection needs, which is what arrives in two
 * round trips at the rate that is measured. Pure, with the clock injected.
 *
 * The round trip is measured without a frame of its own: the first byte past a limit can't have left before the credit
 * that raised this limit arrived.
 */
export class WindowTuner {
  readonly #now: () => number;
  readonly #roundTrip: RoundTrip;
  #windowBytes: number = limits.firstWindowBytes;
  /** The limit whose passing ends a measurement of the round trip, and when that began. */
  #probeLimit = Infinity;
  #probeStartMs = 0;
  /** Where and when the measurement of the rate began. */
  #roundStart = 0;
  #roundStartMs: number;

  /** @param now a clock in milliseconds that never goes back. @param roundTrip shared by all Connections with the peer. */
  constructor(now: () => number, roundTrip: RoundTrip) {
    this.#now = now;
    this.#roundTrip = roundTrip;
    this.#roundStartMs = now();
  }

  get windowBytes(): number {
    return this.#windowBytes;
  }

  /** Once past this offset, `passed` wants to know. */
  get probeLimit(): number {
    return this.#probeLimit;
  }

  get roundTripMs(): number {
    return this.#roundTrip.ms;
  }

  /** Data past the probe's limit arrived. @returns the round trip. */
  passed(): number {
    const tookMs = this.#now() - this.#probeStartMs;
    this.#roundTrip.ms = Math.min(this.#roundTrip.ms, tookMs);
    this.#probeLimit = Infinity;
    return tookMs;
  }

  /** Credit is about to be given. @param taken the offset up to which all was taken. @param limit the limit until now. @returns whether a measurement of the round trip begins. */
  update(taken: number, limit: number): boolean {
    const nowMs = this.#now();
    const elapsedMs = nowMs - this.#roundStartMs;
    const roundTripMs = this.#roundTrip.ms;
    if (roundTripMs !== Infinity && elapsedMs >= Math.max(roundTripMs, leastRoundMs)) {
      const ratePerMs = (taken - this.#roundStart) / elapsedMs;
      const needed = ratePerMs * (2 * roundTripMs + slackMs);
      // One burst is no rate: at most twice as much at a time.
      const grown = Math.min(needed, 2 * this.#windowBytes, limits.maxWindowBytes);
      this.#windowBytes = Math.max(this.#windowBytes, Math.floor(grown));
      this.#roundStart = taken;
      this.#roundStartMs = nowMs;
    }
    if (this.#probeLimit !== Infinity) return false;
    this.#probeLimit = limit;
    this.#probeStartMs = nowMs;
    return true;
  }
}
