import { limits } from "@messagepasser/protocol";
import { Pace } from "./pace.ts";
import type { Clock } from "./platform.ts";

/** A Connection that has credit to grant. */
export interface Granter {
  /** Grants a step of it. Returns whether there is more to grant. */
  grantStep(): boolean;
}

const unknownRoundTripMs = 100;

/**
 * Paces the credit that all Connections of a link grant. Data comes only where a Connection has granted it, so the
 * Connections take turns, and together grant what the line carries. Pure, with the clock injected.
 */
export class Downlink {
  readonly #clock: Pick<Clock, "now" | "after">;
  #pace: Pace;
  #arrivedBytes = 0;
  /** Is granted and hasn't arrived. */
  #outstandingBytes = 0;
  /** From a grant to what it allows, without what waits. */
  #lagMs = unknownRoundTripMs;
  /** There is no link. */
  #isPaused = false;
  readonly #waiting = new Set<Granter>();
  #isServing = false;
  #cancelTimer: (() => void) | undefined;

  constructor(clock: Pick<Clock, "now" | "after">) {
    this.#clock = clock;
    this.#pace = new Pace(clock.now, false);
  }

  /** How much a Connection grants at once. */
  get stepBytes(): number {
    return this.#pace.isFree ? Infinity : this.#pace.stepBytes;
  }

  /** The largest window that is of use to a Connection, where it takes so long from a grant to what it allows. */
  windowBytes(roundTripMs: number): number {
    if (this.#pace.isFree) return Infinity;
    const knownMs = roundTripMs === Infinity ? unknownRoundTripMs : roundTripMs;
    return Math.floor(Math.max(this.#pace.bytesPerMs * (2 * knownMs + 4 * this.#pace.slackMs), limits.minWindowBytes));
  }

  /** The most that a Connection grants at its beginning. */
  get firstWindowBytes(): number {
    return Math.floor(Math.max(this.#pace.roomBytes, limits.minWindowBytes));
  }

  /** There is a new link, of which nothing is known. */
  start(): void {
    this.#pace = new Pace(this.#clock.now, false);
    this.#isPaused = false;
    this.#serve();
  }

  /** The link is lost. */
  pause(): void {
    this.#isPaused = true;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  /** Calls `grantStep` when it is this Connection's turn. */
  request(granter: Granter): void {
    this.#waiting.add(granter);
    this.#serve();
  }

  granted(bytes: number): void {
    this.#outstandingBytes += bytes;
    this.#pace.sent(bytes);
  }

  /** Granted bytes have arrived. */
  arrived(bytes: number): void {
    this.#outstandingBytes -= bytes;
    this.#arrivedBytes += bytes;
    this.#serve();
  }

  /** Granted bytes will not come. */
  ungranted(bytes: number): void {
    this.#outstandingBytes -= bytes;
  }

  /** So long it took from a grant to what it allowed. */
  measured(roundTripMs: number): void {
    this.#lagMs = Math.max(roundTripMs - this.#pace.queueMs, 0);
  }

  /** The router's clock has come. */
  clocked(routerMs: number): void {
    const nowMs = this.#clock.now();
    const delayMs = nowMs - routerMs;
    const underWayBytes = this.#outstandingBytes;
    this.#pace.heard({ delayMs, bytes: this.#arrivedBytes, underWayBytes, atMs: nowMs, lagMs: this.#lagMs });
  }

  #serve(): void {
    // A Connection tells what has arrived before it grants more.
    if (this.#isServing || this.#isPaused) return;
    this.#isServing = true;
    for (const granter of this.#waiting) {
      if (this.#pace.roomBytes <= 0) break;
      this.#waiting.delete(granter);
      if (granter.grantStep()) this.#waiting.add(granter);
    }
    this.#isServing = false;
    if (this.#waiting.size > 0)
      this.#cancelTimer ??= this.#clock.after(this.#pace.waitMs, () => {
        this.#cancelTimer = undefined;
        this.#serve();
      });
  }
}
