import type { Clock } from "../../client/src/link/platform.ts";

interface Timer {
  readonly owner: object;
  readonly dueMs: number;
  readonly callback: () => void;
}

/** Simulated time: it stands still until it is told to go on, and then calls what has become due, in order. */
export class Time {
  nowMs = 0;
  readonly #timers = new Set<Timer>();

  /** A clock whose timers are counted as its owner's. */
  clockOf(owner: object, random: () => number): Clock {
    return {
      now: () => this.nowMs,
      random,
      after: (delayMs, callback) => {
        const timer = { owner, dueMs: this.nowMs + delayMs, callback };
        this.#timers.add(timer);
        return () => void this.#timers.delete(timer);
      },
    };
  }

  /** How many timers of somebody are running. */
  timersOf(owner: object): number {
    let count = 0;
    for (const timer of this.#timers) if (timer.owner === owner) count++;
    return count;
  }

  /** Goes on to the first timer that is due by then, and calls it. With none, goes on to then and returns false. */
  step(untilMs: number): boolean {
    let first: Timer | undefined;
    for (const timer of this.#timers) if (first === undefined || timer.dueMs < first.dueMs) first = timer;
    if (first === undefined || first.dueMs > untilMs) {
      this.nowMs = untilMs;
      return false;
    }
    this.nowMs = Math.max(this.nowMs, first.dueMs);
    this.#timers.delete(first);
    first.callback();
    return true;
  }
}

/** Chance that comes out the same for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
