import { Pace } from "./pace.ts";

/** How much may be under way until something has waited. */
const firstBytes = 65_536;
/** How much while no pace is kept, half of it at once: it may be a slow line after all, which several links share. */
const letGoBytes = 16_384;
/** How much is sent from one question to the next at least, on a fast line, where each follows the other by so many ms. */
const [leastFastBytes, questionMs] = [131_072, 10];
/** Past this nothing holds a link back. */
const mostBytes = 67_108_864;

/** A question for the router's clock that is under way. */
interface Mark {
  readonly sentMs: number;
  /** Sent before it. */
  readonly sentBytes: number;
}

/**
 * How much may be sent to the router. A question for its clock behind what was sent is a mark: the answer says when all
 * before it had arrived. Pure, with the clock injected.
 */
export class Uplink {
  readonly #now: () => number;
  readonly #pace: Pace;
  readonly #marks: Mark[] = [];
  /** Bytes since the beginning. */
  #sent = 0;
  #arrived = 0;
  /** How much is to be sent until the next question; after the last one, until something has waited; and when that was. */
  #dueBytes = firstBytes / 4;
  #freeBytes = leastFastBytes;
  #askedMs = -Infinity;
  /** How much may be under way, and when that was last made more. */
  #allowedBytes = firstBytes;
  #doubledMs = 0;
  #lagMs = 0;

  constructor(now: () => number) {
    this.#now = now;
    this.#pace = new Pace(now, true);
  }

  /** How much may be sent at once, so that others come in between. */
  get pieceBytes(): number {
    if (this.#pace.isLetGo) return letGoBytes / 2;
    return this.#pace.isFree ? Infinity : this.#pace.stepBytes;
  }

  /** How much data may be sent now; 0 or less for none. */
  get roomBytes(): number {
    return Math.min(this.#arrived + this.#allowedBytes - this.#sent, this.#pace.roomBytes);
  }

  /** In how many ms more may be sent, where only time has to pass. */
  get waitMs(): number | undefined {
    return this.#sent - this.#arrived < this.#allowedBytes ? this.#pace.waitMs : undefined;
  }

  /** Whether a question is to go with what is about to be sent. @param bytes with that. */
  isDue(bytes: number): boolean {
    return this.#sent + bytes >= this.#dueBytes;
  }

  /** Whether nothing may be sent, and no answer is under way that would change that. */
  get isStuck(): boolean {
    return this.#marks.length === 0 && this.#sent - this.#arrived >= this.#allowedBytes;
  }

  /** Bytes were sent. @param isMeasured whether a question was the last of them. */
  sent(bytes: number, isMeasured: boolean): void {
    this.#sent += bytes;
    this.#pace.sent(bytes);
    if (!isMeasured) return;
    const sentMs = this.#now();
    const isSoon = sentMs - this.#askedMs < questionMs;
    this.#freeBytes = isSoon ? Math.min(2 * this.#freeBytes, mostBytes) : Math.max(this.#freeBytes / 2, leastFastBytes);
    this.#askedMs = sentMs;
    const { isFree, stepBytes } = this.#pace;
    this.#dueBytes = this.#sent + (isFree ? Math.min(this.#freeBytes, this.#allowedBytes / 4) : stepBytes);
    this.#marks.push({ sentMs, sentBytes: this.#sent });
  }

  /** The first question without an answer has got it. @param routerMs when it came to the router, by the router's clock. */
  measured(routerMs: number): void {
    const mark = this.#marks.shift();
    if (mark === undefined) return;
    const nowMs = this.#now();
    const usedBytes = mark.sentBytes - this.#arrived;
    this.#arrived = mark.sentBytes;
    const delayMs = routerMs - mark.sentMs;
    const underWayBytes = this.#sent - this.#arrived;
    this.#pace.heard({ delayMs, bytes: this.#arrived, underWayBytes, atMs: routerMs, lagMs: this.#lagMs });
    // What takes longer is a queue, which is brought down, and not how long that takes.
    this.#lagMs = Math.max(nowMs - mark.sentMs - this.#pace.queueMs, 0);
    if (this.#pace.isLetGo) this.#allowedBytes = letGoBytes;
    else if (this.#pace.isFree) {
      if (mark.sentMs < this.#doubledMs || usedBytes < this.#allowedBytes / 8) return;
      this.#doubledMs = nowMs;
      this.#allowedBytes = Math.min(this.#allowedBytes * 2, mostBytes);
    } else
      this.#allowedBytes = Math.max(
        this.#pace.bytesPerMs * (this.#lagMs + 4 * this.#pace.slackMs),
        4 * this.#pace.stepBytes,
      );
  }
}
