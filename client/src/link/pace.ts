import { QueueDelay, targetMs } from "./queue-delay.ts";

/**
 * A fast line may have more, by the square of its rate: 3 ms at 100 Mbit/s. There the programs are what is slow, and what is
 * under way bridges their pauses.
 */
const fastBytesPerMs = 7_000;
const leastBytesPerMs = 16;
/**
 * Where more than 160 Mbit/s arrive, nothing is held back. What waits there waits for programs, and a pace makes many small
 * batches for them: on one machine under load they would stay as slow as they were once.
 */
const mostBytesPerMs = 20_000;
/** No rate is measured over less; nor over less than so many bytes, until something has waited. */
const [leastRoundMs, leastRoundBytes] = [40, 8_192];
/** The best rate of a round becomes less by that with each round. */
const bestDecay = 0.98;
/** The pace becomes less by that with each round in which too much waits and then nothing. */
const swingDecay = 0.95;
/** How many ms of the line may be sent at once, so that Connections take turns; and at least so many bytes. */
const [stepMs, leastStepBytes] = [5, 1_024];
/** How many ms of a pause of the program are made up for. */
const catchUpMs = 20;
/** Within how many ms, and how many times the lag in addition, the queue is brought back to its target: faster, it swings. */
const [leastSettleMs, settleLags] = [40, 2.5];
/** How much is sent, as a part of what arrives: at least, at most, and at most in a drain. */
const [leastGain, mostGain, drainGain] = [0.4, 1.25, 0.6];
/** What goes on for longer is no queue of what was sent before. */
const [mostQueueMs, hiccupMs] = [2_500, 100];
/** Whatever is heard of may come later by this. */
const lateMs = 20;
/**
 * Where others cause what waits on the way up twice within so many ms, though hardly anything is sent, no pace is kept for so
 * long: most likely the router or a program is slow and not the line, and each small batch costs these as much as a large one.
 */
const [othersWithinMs, letGoMs, hardlyBytesPerMs] = [10_000, 30_000, 24];
/** A longer way is treated as this one. */
const mostLagMs = 400;

/** What is heard of one moment at the end of the way. */
export interface Arrival {
  /** How long the last of it took, by two clocks. */
  readonly delayMs: number;
  /** Since the beginning. */
  readonly bytes: number;
  /** Sent and not arrived, at most. */
  readonly underWayBytes: number;
  /** When, by the clock there. */
  readonly atMs: number;
  /** How long it takes until more or less that is sent is heard of, without what waits. */
  readonly lagMs: number;
}

/**
 * How much may be sent in one direction of a link: anything until something has waited, and then as many bytes a millisecond
 * as arrive, a little more or less by how long they wait. What is sent follows the clock and not what is heard of: with
 * streams both ways, news of one waits behind bursts of the other and would come in bursts itself. Pure, with the clock
 * injected.
 */
export class Pace {
  readonly #now: () => number;
  readonly #isAtEnd: boolean;
  readonly #delay = new QueueDelay();
  /** What arrives while something waits. */
  #bytesPerMs = Infinity;
  /** The best of the last rounds. */
  #bestBytesPerMs = 0;
  #lagMs = 0;
  /** What may be sent, as of then. */
  #roomBytes = 0;
  #roomMs = 0;
  /** The gain since then. */
  #lastGain = 1;
  /** The first arrival of this round, the least and the most that waited since then, and whether all was sent that might be. */
  #first: Arrival | undefined;
  #leastQueueMs = Infinity;
  #mostQueueMs = 0;
  #isShort = false;
  /** In how many rounds little has waited. */
  #clearRounds = 0;
  /** When all that was sent must have arrived, if nothing is heard of it until then. */
  #emptyMs = 0;
  /** How much less was sent than arrives since too much waits, in ms of the line; and the most that may have been under way. */
  #relievedMs = 0;
  #ownQueueMs = 0;
  /** The rate before. */
  #bytesPerMsBefore = 0;
  /** When others last caused what waited, and until when no pace is kept because of them. */
  #othersMs = -Infinity;
  #letGoUntilMs = -Infinity;
  #isLetGo = false;

  /** @param isAtEnd whether what is heard of is the end of a step, which takes the line some time itself. */
  constructor(now: () => number, isAtEnd: boolean) {
    this.#now = now;
    this.#isAtEnd = isAtEnd;
  }

  /** Whether nothing is held back. */
  get isFree(): boolean {
    return this.#bytesPerMs === Infinity;
  }

  /** Whether no pace is kept though something waits: then only what is under way may be bounded. */
  get isLetGo(): boolean {
    return this.#isLetGo;
  }

  get bytesPerMs(): number {
    return this.#bytesPerMs;
  }

  /** How much is sent at once, so that what is behind waits little. */
  get stepBytes(): number {
    return Math.floor(Math.max(this.#bytesPerMs * stepMs, leastStepBytes));
  }

  /** How long what is sent may wait. */
  get slackMs(): number {
    return targetMs + (this.#bestBytesPerMs / fastBytesPerMs) ** 2 + this.#ownMs;
  }

  /** How long the line takes for what is heard of. */
  get #ownMs(): number {
    return this.#isAtEnd && !this.isFree ? this.stepBytes / this.#bytesPerMs : 0;
  }

  /** How long what arrived last has waited. */
  get queueMs(): number {
    return this.#delay.lastQueueMs;
  }

  /** How much may be sent now; 0 or less for none. */
  get roomBytes(): number {
    if (this.isFree) return Infinity;
    this.#refill();
    return this.#roomBytes;
  }

  /** In how many ms a step may be sent. */
  get waitMs(): number {
    if (this.roomBytes > 0) return 0;
    const bytesPerMs = this.#bytesPerMs * this.#gain;
    return Math.min(Math.max((this.stepBytes / 2 - this.#roomBytes) / bytesPerMs, 1), catchUpMs);
  }

  sent(bytes: number): void {
    if (this.isFree) return;
    this.#refill();
    this.#roomBytes -= bytes;
    if (this.#roomBytes <= 0) this.#isShort = true;
  }

  /** Something has arrived at the end of the way. */
  heard(arrival: Arrival): void {
    this.#refill();
    const nowMs = this.#now();
    if (nowMs >= this.#letGoUntilMs) this.#isLetGo = false;
    this.#lagMs = Math.min(arrival.lagMs, mostLagMs);
    this.#delay.add(arrival.delayMs, nowMs, this.#lagMs);
    const { queueMs } = this.#delay;
    const underWayMs = arrival.underWayBytes / this.#bytesPerMs;
    this.#emptyMs = nowMs + Math.min(queueMs, underWayMs, mostQueueMs) + this.#lagMs + lateMs;
    if (this.#first !== undefined) {
      this.#leastQueueMs = Math.min(this.#leastQueueMs, queueMs);
      this.#mostQueueMs = Math.max(this.#mostQueueMs, queueMs);
    }
    if (queueMs <= this.slackMs) {
      this.#relievedMs = this.#ownQueueMs = 0;
      this.#bytesPerMsBefore = this.#bytesPerMs;
    } else {
      this.#ownQueueMs = Math.min(Math.max(this.#ownQueueMs, underWayMs), mostQueueMs);
      // What was sent before must have arrived: others cause it, or a clock was set.
      if (this.#relievedMs > 1.25 * this.#ownQueueMs + this.#lagMs + hiccupMs) {
        this.#delay.restart();
        this.#relievedMs = this.#ownQueueMs = 0;
        this.#first = undefined;
        const isAgain = nowMs - this.#othersMs < othersWithinMs;
        if (this.#isAtEnd && isAgain && this.#bytesPerMs < hardlyBytesPerMs) {
          this.#letGoUntilMs = nowMs + letGoMs;
          this.#isLetGo = true;
          this.#bytesPerMs = Infinity;
        } else this.#bytesPerMs = Math.max(this.#bytesPerMs, this.#bytesPerMsBefore);
        this.#othersMs = nowMs;
      }
    }
    this.#first ??= arrival;
    const elapsedMs = arrival.atMs - this.#first.atMs;
    const bytes = arrival.bytes - this.#first.bytes;
    if (elapsedMs < Math.max(leastRoundMs, this.#lagMs) || (this.isFree && bytes < leastRoundBytes)) return;
    this.#endRound(arrival, bytes, elapsedMs);
  }

  /** @param bytes what arrived in this round. */
  #endRound(arrival: Arrival, bytes: number, elapsedMs: number): void {
    const bytesPerMs = bytes / elapsedMs;
    this.#bestBytesPerMs = Math.max(bytesPerMs, this.#bestBytesPerMs * bestDecay);
    if (bytesPerMs > mostBytesPerMs) this.#bytesPerMs = Infinity;
    else if (this.isFree) {
      if (this.#leastQueueMs > this.slackMs && !this.#isLetGo)
        this.#bytesPerMs = Math.max(this.#bestBytesPerMs, leastBytesPerMs);
    } else if (!this.#delay.isDraining(this.#now())) this.#follow(bytes, bytesPerMs);
    this.#first = arrival;
    this.#leastQueueMs = Infinity;
    this.#mostQueueMs = 0;
    this.#isShort = false;
  }

  #follow(bytes: number, bytesPerMs: number): void {
    if (this.#leastQueueMs > this.#clearMs) {
      this.#clearRounds = 0;
      // The line was never idle: this is its rate, if what waits isn't others'. While too much waits, it is another than before.
      const isLower = this.#leastQueueMs > this.#excessMs && bytes >= leastStepBytes;
      if (!this.#isShort && !isLower) return;
      const [least, most] = isLower ? [leastBytesPerMs, Infinity] : [this.#bytesPerMs * 0.99, this.#bytesPerMs * 1.02];
      this.#bytesPerMs = Math.min(Math.max(bytesPerMs, least), most);
    } else if (this.#isShort) {
      // After too much waited, nothing was sent: that the line was idle then shows nothing, and the pace swings.
      const isSwinging = this.#mostQueueMs > this.#excessMs;
      this.#clearRounds = isSwinging ? 0 : this.#clearRounds + 1;
      this.#bytesPerMs = Math.max(bytesPerMs, this.#bytesPerMs * (isSwinging ? swingDecay : 1));
    }
  }

  /** What waits less shows only that the line may carry more. */
  get #clearMs(): number {
    return this.#ownMs + (this.slackMs - this.#ownMs) / 4;
  }

  /** Past this wait nothing is sent. */
  get #excessMs(): number {
    return 3 * this.slackMs + this.#lagMs / 4;
  }

  /** How much is sent, as a part of what arrives. While little waits, more and more. */
  get #gain(): number {
    const nowMs = this.#now();
    const queueMs = nowMs > this.#emptyMs ? 0 : this.#delay.queueMs;
    if (queueMs > this.#excessMs) return 0;
    const settleMs = leastSettleMs + settleLags * this.#lagMs;
    const more = queueMs < this.#clearMs && this.#clearRounds > 0 ? 2 ** this.#clearRounds / 64 : 0;
    const gain = Math.min(Math.max(1 + (this.slackMs - queueMs) / settleMs + more, leastGain), mostGain);
    return this.#delay.isDraining(nowMs) ? Math.min(gain, drainGain) : gain;
  }

  #refill(): void {
    const nowMs = this.#now();
    const elapsedMs = nowMs - this.#roomMs;
    this.#roomMs = nowMs;
    if (this.isFree) return;
    const mostBytes = Math.max(this.#bytesPerMs * catchUpMs, leastStepBytes);
    this.#roomBytes = Math.min(this.#roomBytes + elapsedMs * this.#bytesPerMs * this.#lastGain, mostBytes);
    this.#relievedMs += elapsedMs * (1 - this.#lastGain);
    this.#lastGain = this.#gain;
  }
}
