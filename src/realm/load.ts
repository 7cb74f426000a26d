import { routerLimits } from "@messagepasser/protocol";

/** What the load needs of the platform and of the realm's object. */
export interface LoadRuntime {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls back once, later. Until then the object is awake. */
  after(delayMs: number, callback: () => void): void;
  /** Ends some of the links that make it too much. */
  shed(): void;
}

/**
 * Finds out whether the object has more to do than it can. The runtime tells an object neither its processor time nor how
 * many events wait. But timers wait behind events: where one goes off late again and again, everything takes that long.
 */
export class Load {
  readonly #runtime: LoadRuntime;
  /** Since the last timer. */
  #events = 0;
  #isTiming = false;
  /** How many timers in a row were late. */
  #late = 0;

  constructor(runtime: LoadRuntime) {
    this.#runtime = runtime;
  }

  /** Whether nobody is let in. */
  get isOver(): boolean {
    return this.#late >= routerLimits.lateTimersBeforeRefusals;
  }

  /** An event has come. */
  noteEvent(): void {
    if (++this.#events >= routerLimits.timedEvents && !this.#isTiming) this.#time();
  }

  #time(): void {
    const dueMs = this.#runtime.now() + routerLimits.timeEveryMs;
    this.#isTiming = true;
    this.#events = 0;
    this.#runtime.after(routerLimits.timeEveryMs, () => {
      this.#isTiming = false;
      const isLate = this.#runtime.now() - dueMs >= routerLimits.lateMs;
      this.#late = isLate ? this.#late + 1 : 0;
      if (this.#late >= routerLimits.lateTimersBeforeShedding) this.#runtime.shed();
      // While it is late, this has to be found to be over.
      if (isLate || this.#events >= routerLimits.timedEvents) this.#time();
    });
  }
}
