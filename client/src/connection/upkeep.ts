import { clientLimits } from "@messagepasser/protocol";
import type { Clock } from "../link/platform.ts";

/** Something that wants to be called about once a second, for as long as there is something to do. */
export interface Tended {
  /** Returns whether it wants to be called again. */
  tend(): boolean;
}

/** Calls on what has something to do later: channels acknowledge what arrived and give back what they don't use. */
export class Upkeep {
  readonly #clock: Clock;
  readonly #due = new Set<Tended>();
  #cancelTimer: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(tended: Tended): void {
    this.#due.add(tended);
    this.#cancelTimer ??= this.#clock.after(clientLimits.upkeepEveryMs, () => {
      this.run();
    });
  }

  /** Does now what would be done within a second. */
  run(): void {
    this.stop();
    const due = [...this.#due];
    this.#due.clear();
    for (const tended of due) if (tended.tend()) this.add(tended);
  }

  stop(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }
}
