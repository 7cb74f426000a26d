import { limits } from "@messagepasser/protocol";
import { slackOf } from "./allowance.ts";
import { ArrivalDelay } from "./arrival-delay.ts";
import type { Clock } from "./platform.ts";

/** A Connection that has credit to grant. */
export interface Granter {
  /** Grants a step of it. Returns whether there is more to grant. */
  grantStep(): boolean;
}

/** From a grant until the first byte that only this grant allowed has come. */
interface Round {
  readonly granter: Granter;
  readonly startMs: number;
  /** As they were at its beginning, with the grant. */
  readonly outstandingBytes: number;
  readonly arrivedBytes: number;
  readonly isDrained: boolean;
}

/** What a slow line carries in so many ms is granted at once, so that Connections take turns. */
const stepMs = 6;
const leastStepBytes = 1_024;
const unknownWayMs = 100;
/** A best rate and a shortest way count for so many rounds, to twice as many. */
const roundsOfBest = 8;
const leastRoundMs = 1;
const littleBytes = 8_192;
/** No rate is measured over less: Connections tell of what arrives in steps. */
const leastRatedMs = 40;
/** After so long, what hasn't come doesn't come. */
const [leastPatienceMs, mostPatienceMs] = [50, 200];
/** The rate of a line that is never idle is measured over so long at least, and is taken for no less. */
const leastBusyMs = 80;
const leastBytesPerMs = 16;
/** For how long it is known how long something has waited. */
const knownMs = 150;

/**
 * Bounds the credit that all Connections of a link have outstanding. Data comes only where a Connection has granted it, so the
 * Connections take turns and together grant no more than what arrives in time.
 *
 * Nobody knows which part of what is granted is under way: senders don't use all their credit. So the bound follows what is
 * outstanding, idle credit included, and is lowered and raised by what waits too long or not at all. Pure, with the clock
 * injected.
 */
export class Downlink {
  readonly #clock: Pick<Clock, "now" | "after">;
  #delay = new ArrivalDelay();
  /** What is granted and hasn't arrived, and how much may be: anything, until something has waited too long. */
  #outstandingBytes = 0;
  #mostBytes = Infinity;
  #arrivedBytes = 0;
  /** There is no link. */
  #isPaused = false;
  readonly #waiting = new Set<Granter>();
  #isServing = false;
  #cancelTimer: (() => void) | undefined;
  #round: Round | undefined;
  #roundMs = unknownWayMs;
  #rounds = 0;
  /** Whether a Connection had to wait for its turn in this round. */
  #isShort = false;
  /** In how many rounds little has waited. */
  #clearRounds = 0;
  /** Bytes per ms, and the shortest round without what waited: of the rounds that are being counted, and of those before. */
  #best = 0;
  #bestBefore = 0;
  #leastWayMs = Infinity;
  #leastWayBeforeMs = Infinity;
  /** Where the measurement of the rate began. */
  #ratedMs = 0;
  #ratedBytes = 0;
  /** Since when something has always waited, and what had arrived by then. */
  #busyMs = Infinity;
  #busyBytes = 0;
  /** Since when nothing is granted, because too much waits. */
  #heldMs: number | undefined;
  /** How often a step was granted since then, since nothing seemed to be under way, and what had arrived and was granted first. */
  #unlocks = 0;
  #unlockedBytes = 0;

  constructor(clock: Pick<Clock, "now" | "after">) {
    this.#clock = clock;
  }

  /** How much a Connection grants at once. */
  get stepBytes(): number {
    return this.#isFree ? Infinity : Math.floor(Math.max(this.#bytesPerMs * stepMs, leastStepBytes));
  }

  /** The largest window that is of use to a Connection. */
  get windowBytes(): number {
    if (this.#isFree) return Infinity;
    return Math.floor(Math.max(2 * this.#bytesPerMs * (this.#wayMs + this.#slackMs), limits.minWindowBytes));
  }

  /** The most that a Connection grants at its beginning. */
  get firstWindowBytes(): number {
    return Math.floor(Math.max(Math.min(this.windowBytes, this.#roomBytes / 2), limits.minWindowBytes));
  }

  /** There is a new link, of which nothing is known. */
  start(): void {
    this.#delay = new ArrivalDelay();
    this.#mostBytes = Infinity;
    this.#isPaused = false;
    this.#unlocks = 0;
    this.#round = this.#heldMs = undefined;
    this.#best = this.#bestBefore = 0;
    this.#leastWayMs = this.#leastWayBeforeMs = this.#busyMs = Infinity;
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
  }

  /** A Connection, which has granted something just now, will tell when the first byte of that has come. */
  probe(granter: Granter): void {
    const nowMs = this.#clock.now();
    if (this.#round !== undefined && nowMs - this.#round.startMs < 4 * this.#roundMs) return;
    this.#delay.takeLeastQueueMs(false);
    this.#round = {
      granter,
      startMs: nowMs,
      outstandingBytes: this.#outstandingBytes,
      arrivedBytes: this.#arrivedBytes,
      isDrained: this.#delay.isDraining(nowMs),
    };
  }

  /** Granted bytes have arrived. @param probed the Connection of which the byte is among them that ends a round. */
  arrived(bytes: number, probed: Granter | undefined): void {
    this.#outstandingBytes -= bytes;
    this.#arrivedBytes += bytes;
    if (this.#round !== undefined && this.#round.granter === probed) this.#endRound(this.#round);
    this.#serve();
  }

  /** Granted bytes will not come. */
  ungranted(bytes: number): void {
    this.#outstandingBytes -= bytes;
    this.#serve();
  }

  /** The router's clock has come, in milliseconds modulo 2^32. */
  clocked(timeMs: number): void {
    const nowMs = this.#clock.now();
    this.#delay.add(timeMs, nowMs, this.#wayMs);
    if (this.#isEmpty && this.#delay.queueMs > this.#excessMs) this.#delay.restart();
    const { queueMs } = this.#delay;
    if (queueMs <= this.#slackMs) this.#busyMs = Infinity;
    else if (this.#busyMs === Infinity) [this.#busyMs, this.#busyBytes] = [nowMs, this.#arrivedBytes];
    else this.#measureBusy(nowMs);
    if (this.#bytesPerMs === 0) return;
    if (queueMs > this.#excessMs) {
      this.#heldMs ??= nowMs;
      this.#mostBytes = Math.min(this.#mostBytes, this.#outstandingBytes);
      return;
    }
    this.#unlocks = 0;
    if (this.#heldMs !== undefined) this.#release(nowMs - this.#heldMs);
  }

  /** How long what comes now has waited on its way, where that is known. */
  get backMs(): number | undefined {
    return this.#delay.lastQueueMs(this.#clock.now() - knownMs);
  }

  get #isFree(): boolean {
    return this.#mostBytes === Infinity;
  }

  get #bytesPerMs(): number {
    return Math.max(this.#best, this.#bestBefore);
  }

  /** How long it takes from a grant to what it allows, while nothing waits. */
  get #wayMs(): number {
    const wayMs = Math.min(this.#leastWayMs, this.#leastWayBeforeMs);
    return wayMs === Infinity ? unknownWayMs : wayMs;
  }

  get #slackMs(): number {
    return slackOf(this.#bytesPerMs, this.#wayMs);
  }

  /** Past this wait, the line goes on for longer than the way without anything new. */
  get #excessMs(): number {
    return Math.max(3 * this.#slackMs, this.#wayMs);
  }

  /** Whether nothing is under way, and what waits none the less waits for others, or doesn't wait at all: a clock was set. */
  get #isEmpty(): boolean {
    return this.#unlocks > 1 && this.#outstandingBytes >= this.#unlockedBytes;
  }

  get #roomBytes(): number {
    if (this.#heldMs !== undefined) return 0;
    if (this.#isFree) return Infinity;
    const isDraining = this.#delay.isDraining(this.#clock.now(), this.#roundMs + this.#wayMs);
    const drainBytes = isDraining ? this.#bytesPerMs * (this.#slackMs + this.#wayMs / 4) : 0;
    return this.#mostBytes - this.#outstandingBytes - drainBytes;
  }

  /** The line has never been idle for a while: what has arrived since then arrived at its rate. */
  #measureBusy(nowMs: number): void {
    const elapsedMs = nowMs - this.#busyMs;
    if (elapsedMs < leastBusyMs) return;
    this.#best = this.#bestBefore = Math.max((this.#arrivedBytes - this.#busyBytes) / elapsedMs, leastBytesPerMs);
    [this.#busyMs, this.#busyBytes] = [nowMs, this.#arrivedBytes];
  }

  #endRound(round: Round): void {
    this.#round = undefined;
    const nowMs = this.#clock.now();
    const queueMs = this.#delay.medianQueueMs(round.startMs);
    this.#roundMs = Math.max(nowMs - round.startMs, leastRoundMs);
    if (this.#rounds++ % roundsOfBest === 0) {
      [this.#bestBefore, this.#best] = [this.#best, 0];
      [this.#leastWayBeforeMs, this.#leastWayMs] = [this.#leastWayMs, Infinity];
    }
    // These bytes were under way when the round began, and no others.
    const flightBytes = this.#arrivedBytes - round.arrivedBytes;
    const leastQueueMs = Math.min(this.#delay.takeLeastQueueMs(flightBytes < littleBytes), queueMs);
    const elapsedMs = nowMs - this.#ratedMs;
    if (elapsedMs >= leastRatedMs) {
      this.#best = Math.max(this.#best, (this.#arrivedBytes - this.#ratedBytes) / elapsedMs);
      [this.#ratedMs, this.#ratedBytes] = [nowMs, this.#arrivedBytes];
    }
    // A long queue says little of the way: it was another one a moment ago.
    if (queueMs < Math.min(this.#roundMs, this.#excessMs))
      this.#leastWayMs = Math.min(this.#leastWayMs, this.#roundMs - queueMs);
    if (this.#heldMs === undefined && !round.isDrained && !this.#delay.isDraining(nowMs)) {
      this.#limit(round.outstandingBytes, queueMs, leastQueueMs);
      // Never less than the line has carried of late.
      const needed = this.#bytesPerMs * (this.#wayMs + this.#slackMs / 2);
      this.#mostBytes = Math.max(this.#mostBytes, round.outstandingBytes - flightBytes + needed);
    }
    this.#isShort = this.#waiting.size > 0;
  }

  #limit(outstandingBytes: number, queueMs: number, leastQueueMs: number): void {
    const slack = this.#slackMs;
    const rate = this.#bytesPerMs;
    if (leastQueueMs > slack) {
      this.#clearRounds = 0;
      this.#mostBytes = Math.min(this.#mostBytes, outstandingBytes - rate * (leastQueueMs - slack));
    } else if (this.#isShort) {
      this.#clearRounds = queueMs < slack / 2 ? this.#clearRounds + 1 : 0;
      if (this.#clearRounds > 0) this.#mostBytes += rate * this.#wayMs * Math.min(2 ** this.#clearRounds / 32, 0.25);
    }
  }

  /** What waited too long is gone. @param heldMs for how long nothing was granted. */
  #release(heldMs: number): void {
    this.#heldMs = undefined;
    const flightBytes = this.#bytesPerMs * (this.#wayMs + this.#slackMs);
    const goneBytes = (flightBytes / 2) * Math.min(heldMs / this.#wayMs, 1);
    this.#mostBytes = this.#outstandingBytes + Math.max(goneBytes, leastStepBytes);
    this.#serve();
  }

  /** Nothing has come for long: what is outstanding is credit that no sender uses, and one Connection grants a step. */
  #unlock(): void {
    const nowMs = this.#clock.now();
    if (this.#heldMs === undefined) {
      this.#mostBytes = Math.max(this.#mostBytes, this.#outstandingBytes + 1);
      this.#serve();
    } else if (nowMs - this.#heldMs >= leastBusyMs) {
      this.#measureBusy(nowMs);
      if (this.#unlocks++ === 0) this.#unlockedBytes = this.#outstandingBytes;
      this.#release(Infinity);
    }
  }

  #serve(): void {
    // A Connection tells what has arrived before it grants more.
    if (this.#isServing || this.#isPaused) return;
    this.#isServing = true;
    for (const granter of this.#waiting) {
      if (this.#roomBytes <= 0) break;
      this.#waiting.delete(granter);
      if (granter.grantStep()) this.#waiting.add(granter);
    }
    this.#isServing = false;
    if (this.#waiting.size === 0) return;
    this.#isShort = true;
    if (this.#cancelTimer === undefined) this.#wait(this.#arrivedBytes);
  }

  /** @param arrivedBytes by now. */
  #wait(arrivedBytes: number): void {
    const patienceMs = Math.min(Math.max(2 * this.#wayMs, leastPatienceMs), mostPatienceMs);
    this.#cancelTimer = this.#clock.after(patienceMs, () => {
      this.#cancelTimer = undefined;
      if (this.#arrivedBytes === arrivedBytes) this.#unlock();
      this.#serve();
    });
  }
}
