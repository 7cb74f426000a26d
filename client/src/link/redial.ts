import { clientLimits } from "@messagepasser/protocol";
import { backoffMs, spreadMs } from "./backoff.ts";
import type { Clock } from "./platform.ts";

/** When to dial again after a lost link. */
export class Redial {
  /** Whether a peer was heard on this link. A plain field, since each segment sets it. */
  hasMoved = false;
  readonly #clock: Clock;
  #attempt = 0;
  /** `undefined` where the router has let nobody in since the last pause. */
  #onlineSinceMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The router has let the client in. */
  online(): void {
    this.#onlineSinceMs = this.#clock.now();
    this.hasMoved = false;
  }

  /**
   * The pause before the next attempt, in milliseconds: short again after a link that was of use, which is one that lasted
   * or on which something moved.
   *
   * @param askedMs the time over which the router asked clients to spread their attempts.
   */
  pauseMs(askedMs: number): number {
    const { now, random } = this.#clock;
    const sinceMs = this.#onlineSinceMs;
    if (sinceMs !== undefined && (this.hasMoved || now() - sinceMs >= clientLimits.goodLinkMs)) this.#attempt = 0;
    this.#onlineSinceMs = undefined;
    return backoffMs(this.#attempt++, random()) + spreadMs(askedMs, random());
  }
}
