import { Allowance, targetMs } from "./allowance.ts";
import { LinkDelay } from "./delay.ts";

/** How much is sent at most from one ping to the next. */
const mostStepBytes = 524_288;
/** Where more than this arrives in a round, and half as much as is sent, pings may wait for that on their way back. */
const leastReceivedBytes = 16_384;
/** The least part of what is allowed otherwise that is under way in a drain. */
const leastShare = 0.125;
/** What goes on for so long, though little is sent, is no hiccup of the line. */
const lastingMs = 200;
/** No rate is measured over less. */
const leastRateMs = 0.1;

/** A ping that is under way. */
interface Mark {
  readonly sentMs: number;
  /** Sent before it. */
  readonly sentBytes: number;
  /** How much had arrived by then, and when that was heard. */
  readonly arrivedBytes: number;
  readonly arrivedMs: number;
}

/**
 * How much may be under way to the router. A ping behind what was sent is a mark: its answer says that all before it has
 * arrived, and how long it had to wait. Pure, with the clock injected.
 */
export class Uplink {
  readonly #now: () => number;
  readonly #delay = new LinkDelay();
  readonly #allowance = new Allowance();
  readonly #marks: Mark[] = [];
  /** Bytes since the beginning. */
  #sent = 0;
  #arrived = 0;
  #arrivedMs = 0;
  #markedBytes = 0;
  /** A round ends with the answer to the first ping that was sent in it. These are of the round that is being measured. */
  #roundStartMs = 0;
  #bytesPerMs = 0;
  #queueMs = Infinity;
  #usedShare = 0;
  /** What came from the router in this round, and how much of what was sent had arrived before it. */
  #received = 0;
  #roundStartBytes = 0;
  /** Whether so much comes from the router that a ping can't tell what it waits for. */
  #isBlind = false;
  /** How long answers wait of late. */
  #backMs = 0;
  /** The part of the allowance that may be used: little where the line is being drained. */
  #share = 1;
  /** Since when too much waits, and how much had arrived by then. */
  #excessMs = Infinity;
  #excessBytes = 0;
  /** How much had been sent when less was allowed for that reason. Until that has shown something, nothing else is measured. */
  #cutBytes = Infinity;
  /** Since when all of that has arrived, and yet too much waits. */
  #drainedMs = Infinity;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** How much may be sent at once, so that others come in between. */
  get pieceBytes(): number {
    return this.#isBlind ? Infinity : this.#allowance.pieceBytes;
  }

  /** How much data may be sent now; 0 or less for none. */
  get roomBytes(): number {
    return this.#isBlind ? Infinity : this.#arrived + this.#allowedBytes - this.#sent;
  }

  /** Bytes came from the router. */
  received(bytes: number): void {
    this.#received += bytes;
  }

  /** Bytes were sent. Returns whether a ping is to follow. */
  sent(bytes: number): boolean {
    if (this.#sent === this.#arrived) this.#arrivedMs = this.#now();
    this.#sent += bytes;
    this.#usedShare = Math.max(this.#usedShare, (this.#sent - this.#arrived) / this.#allowedBytes);
    return this.#isStuck || this.#sent - this.#markedBytes >= Math.min(this.#allowance.stepBytes, mostStepBytes);
  }

  /** A ping was sent. */
  pinged(): void {
    const sentBytes = (this.#markedBytes = this.#sent);
    this.#marks.push({ sentMs: this.#now(), sentBytes, arrivedBytes: this.#arrived, arrivedMs: this.#arrivedMs });
  }

  /** The first ping without an answer has got it. Returns whether another is to follow. @param backMs how long the answer waited, if that is known. */
  ponged(backMs?: number): boolean {
    const mark = this.#marks.shift();
    if (mark === undefined) return false;
    const nowMs = this.#now();
    if (backMs !== undefined) this.#received = 0;
    this.#backMs = backMs ?? 0;
    const roundTripMs = nowMs - mark.sentMs;
    this.#delay.add(roundTripMs, nowMs);
    this.#arrived = mark.sentBytes;
    this.#arrivedMs = nowMs;
    const bytesPerMs = (mark.sentBytes - mark.arrivedBytes) / Math.max(nowMs - mark.arrivedMs, leastRateMs);
    this.#bytesPerMs = Math.max(this.#bytesPerMs, bytesPerMs);
    const { wayMs } = this.#delay;
    this.#share = this.#delay.isDraining(nowMs) ? Math.max(wayMs / (wayMs + targetMs) / 2, leastShare) : 1;
    const queueMs = roundTripMs - wayMs - this.#backMs;
    this.#queueMs = Math.min(this.#queueMs, queueMs);
    if (this.#isBlind || queueMs <= this.#allowance.excessMs(wayMs))
      this.#excessMs = this.#cutBytes = this.#drainedMs = Infinity;
    else if (mark.arrivedBytes >= this.#cutBytes) {
      // All from before the cut had arrived, and little was under way: what this waits for is others', or on the way back.
      this.#drainedMs = Math.min(this.#drainedMs, nowMs);
      if (nowMs - this.#drainedMs > Math.max(wayMs, lastingMs)) {
        this.#delay.restart(roundTripMs);
        this.#allowance.recover(roundTripMs);
        this.#excessMs = this.#cutBytes = this.#drainedMs = Infinity;
        // What was measured in this round was measured against the way of before.
        this.#beginRound(nowMs);
      }
    } else if (this.#excessMs === Infinity) [this.#excessMs, this.#excessBytes] = [nowMs, this.#arrived];
    else if (nowMs - this.#excessMs > Math.max(wayMs, targetMs)) {
      // What has waited for long arrives at the rate that the line has now.
      this.#bytesPerMs = (this.#arrived - this.#excessBytes) / (nowMs - this.#excessMs);
      this.#queueMs = queueMs;
      const cutBytes = Math.min(this.#cutBytes, this.#sent);
      this.#excessMs = this.#cutBytes = Infinity;
      this.#endRound(nowMs);
      this.#cutBytes = cutBytes;
    }
    if (mark.sentMs >= this.#roundStartMs) this.#endRound(nowMs);
    return this.#isStuck;
  }

  /** While answers wait on their way back, as much more has arrived as the line carries in that time. */
  get #allowedBytes(): number {
    const { wayMs } = this.#delay;
    const { bytes } = this.#allowance;
    const backBytes = wayMs === Infinity ? 0 : (bytes * this.#backMs) / (wayMs + this.#allowance.slackMs(wayMs));
    return bytes * this.#share + backBytes;
  }

  /** Whether nothing may be sent, and no answer is under way that would change that. */
  get #isStuck(): boolean {
    return this.#marks.length === 0 && this.roomBytes <= 0;
  }

  #endRound(nowMs: number): void {
    const received = this.#received;
    this.#isBlind = received > Math.max(leastReceivedBytes, (this.#arrived - this.#roundStartBytes) / 2);
    if (this.#share === 1 && !this.#isBlind && this.#cutBytes === Infinity)
      this.#allowance.update({
        bytesPerMs: this.#bytesPerMs,
        wayMs: this.#delay.wayMs,
        queueMs: this.#queueMs,
        usedShare: this.#usedShare,
      });
    this.#beginRound(nowMs);
  }

  #beginRound(nowMs: number): void {
    this.#roundStartMs = nowMs;
    this.#roundStartBytes = this.#arrived;
    this.#received = 0;
    this.#bytesPerMs = 0;
    this.#queueMs = Infinity;
    this.#usedShare = 0;
  }
}
