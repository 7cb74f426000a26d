import { clientLimits } from "@messagepasser/protocol";
import type { Link } from "../link/link.ts";
import type { Clock } from "../link/platform.ts";
import type { Turn } from "../link/turns.ts";

const { maxOpensInBurst, maxPacedOpensPerSecond, maxUndecidedOpens, maxUndecidedOpenBytes } = clientLimits;

/** An open that is to be sent. */
export interface Leaver {
  readonly peer: string;
  /** The bytes of its first message and metadata. */
  readonly bytes: number;
  leave(): void;
}

/** The opens to one peer. */
interface Lane {
  /** How many opens the peer has neither accepted nor refused, and the bytes that they carry. */
  undecided: number;
  undecidedBytes: number;
  readonly waiting: Set<Leaver>;
}

/**
 * Sends opens as fast as the peer, the router and the link take them, so that a burst isn't refused: a peer holds only so
 * many undecided ones, and the router counts their rate.
 */
export class OpenPace implements Turn {
  readonly #clock: Clock;
  readonly #link: () => Link | undefined;
  readonly #lanes = new Map<string, Lane>();
  #left: number = maxOpensInBurst;
  #countedAtMs: number;
  #cancelTimer: (() => void) | undefined;

  /** @param link the link, while the router takes frames. */
  constructor(clock: Clock, link: () => Link | undefined) {
    this.#clock = clock;
    this.#link = link;
    this.#countedAtMs = clock.now();
  }

  /** Lets an open leave: at once, or when it is its turn. */
  add(leaver: Leaver): void {
    let lane = this.#lanes.get(leaver.peer);
    if (lane === undefined) {
      lane = { undecided: 0, undecidedBytes: 0, waiting: new Set() };
      this.#lanes.set(leaver.peer, lane);
    }
    lane.waiting.add(leaver);
    // Others before it have not left either.
    if (lane.waiting.size === 1) this.#serve(lane);
  }

  /** An open was accepted, was refused, or was given up. Comes once for each that was added. */
  decided(leaver: Leaver): void {
    const lane = this.#lanes.get(leaver.peer);
    if (lane === undefined) return;
    if (!lane.waiting.delete(leaver)) {
      lane.undecided--;
      lane.undecidedBytes -= leaver.bytes;
    }
    this.#serve(lane);
    if (lane.undecided === 0 && lane.waiting.size === 0) this.#lanes.delete(leaver.peer);
  }

  /** The link takes data again. */
  takeTurn(): boolean {
    for (const lane of this.#lanes.values()) this.#serve(lane);
    return false;
  }

  stop(): void {
    this.#cancelTimer?.();
  }

  #serve(lane: Lane): void {
    for (const leaver of lane.waiting) {
      const bytes = lane.undecidedBytes + leaver.bytes;
      const isTooMuch = lane.undecidedBytes > 0 && bytes > maxUndecidedOpenBytes;
      if (lane.undecided >= maxUndecidedOpens || isTooMuch || !this.#isLinkFree(leaver) || !this.#isInRate()) return;
      lane.waiting.delete(leaver);
      lane.undecided++;
      lane.undecidedBytes = bytes;
      leaver.leave();
    }
  }

  #isLinkFree({ bytes }: Leaver): boolean {
    const link = this.#link();
    // Without a link, the open leaves with the next link.
    if (bytes === 0 || link?.isFull !== true) return true;
    link.requestTurn(this);
    return false;
  }

  /** Counts one more open, unless that is too many: then a timer tries again. */
  #isInRate(): boolean {
    const nowMs = this.#clock.now();
    const earned = ((nowMs - this.#countedAtMs) * maxPacedOpensPerSecond) / 1_000;
    this.#left = Math.min(maxOpensInBurst, this.#left + earned);
    this.#countedAtMs = nowMs;
    if (this.#left < 1) {
      this.#cancelTimer ??= this.#clock.after(clientLimits.paceEveryMs, () => {
        this.#cancelTimer = undefined;
        this.takeTurn();
      });
      return false;
    }
    this.#left--;
    return true;
  }
}
