/** The longest delay that timers support; they treat a longer one as 1 ms. */
const longestTimerMs = 2_147_483_647;

/** Calls back once nothing was touched for a time. Touching costs no new timer. */
export class IdleTimer {
  readonly #idleMs: number;
  readonly #onIdle: () => void;
  #touchedMs = performance.now();
  #timer: NodeJS.Timeout;

  constructor(idleMs: number, onIdle: () => void) {
    this.#idleMs = idleMs;
    this.#onIdle = onIdle;
    this.#timer = this.#start(idleMs);
  }

  touch(): void {
    this.#touchedMs = performance.now();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #start(delayMs: number): NodeJS.Timeout {
    // Timers may be a little early.
    return setTimeout(this.#look, Math.min(Math.ceil(delayMs) + 1, longestTimerMs));
  }

  readonly #look = (): void => {
    const leftMs = this.#touchedMs + this.#idleMs - performance.now();
    if (leftMs <= 0) this.#onIdle();
    else this.#timer = this.#start(leftMs);
  };
}
