/** How long what is under way may wait on a link: enough that the link is never idle, and little for what comes behind. */
export const targetMs = 10;
/** On a long way, whose own length varies more, a part of it in addition. */
const partOfWay = 0.1;
/**
 * A fast line may have more, by the square of its rate: 50 ms at 400 Mbit/s, 3 at 100. There the programs are what is slow,
 * and what is under way bridges their pauses.
 */
const fastBytesPerMs = 7_000;
/** The least that may be under way, so that a link is never given up for slow, and where it begins. */
const [leastBytes, firstBytes] = [2_048, 65_536];
/** Past this nothing holds a link back. */
const mostBytes = 67_108_864;
const [leastStepBytes, stepMs] = [1_024, 6];
/** A best rate counts for so many rounds, to twice as many. */
const roundsOfBest = 8;

/** How long what is under way may wait, at this rate and on a way of this length there and back. */
export function slackOf(bytesPerMs: number, wayMs: number): number {
  return targetMs + wayMs * partOfWay + (bytesPerMs / fastBytesPerMs) ** 2;
}

/** What one round, in which all that was under way arrived, has shown. */
export interface Round {
  readonly bytesPerMs: number;
  /** The shortest way of the last seconds, there and back. */
  readonly wayMs: number;
  /** How long all that arrived had to wait. */
  readonly queueMs: number;
  /** The largest part of what was allowed that was under way. */
  readonly usedShare: number;
}

/**
 * How much may be under way in one direction of a link: what the line carries within the way and `targetMs`. Doubles until
 * something waits, then follows the best rate of late, and tries now and then whether the line carries more. Pure.
 */
export class Allowance {
  #bytes = firstBytes;
  #isStarting = true;
  #rounds = 0;
  /** How many rounds have passed since something waited. */
  #clearRounds = 0;
  /** Bytes per ms: of the rounds that are being counted, and of those before. */
  #best = 0;
  #bestBefore = 0;
  /** Before something waited for too long. */
  #bestUncut = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * How much may go at once, so that what is behind waits little: anything, until something has waited. Small pieces on a
   * fast line would only make more of them.
   */
  get pieceBytes(): number {
    return this.#isStarting ? Infinity : this.stepBytes;
  }

  /** After how much it is to be measured again, in whole bytes. */
  get stepBytes(): number {
    return Math.floor(Math.max(this.#bestOfAll * stepMs, this.#isStarting ? this.#bytes / 2 : leastStepBytes));
  }

  /** How long what is under way may wait. */
  slackMs(wayMs: number): number {
    return slackOf(this.#bestOfAll, wayMs);
  }

  /** Past this wait the line must have become slower: what was measured before is no longer true. */
  excessMs(wayMs: number): number {
    return 3 * this.slackMs(wayMs);
  }

  /** The last cut was wrong: what waited was not sent here, but makes the way longer. */
  recover(wayMs: number): void {
    this.#best = this.#bestBefore = this.#bestUncut;
    this.#bytes = Math.max(this.#bytes, Math.min(this.#best * (wayMs + this.slackMs(wayMs)), mostBytes));
  }

  /** A round is over. */
  update({ bytesPerMs, wayMs, queueMs, usedShare }: Round): void {
    const slackMs = this.slackMs(wayMs);
    if (queueMs > slackMs) this.#isStarting = false;
    if (queueMs > this.excessMs(wayMs)) {
      // One cut may follow the other.
      this.#bestUncut = Math.max(this.#bestUncut, this.#bestOfAll);
      this.#best = this.#bestBefore = bytesPerMs;
    } else this.#bestUncut = 0;
    if (this.#rounds++ % roundsOfBest === 0) {
      this.#bestBefore = this.#best;
      this.#best = 0;
    }
    this.#best = Math.max(this.#best, bytesPerMs);
    if (this.#isStarting) {
      if (usedShare >= 0.25) this.#bytes = Math.min(this.#bytes * 2, mostBytes);
      return;
    }
    const best = this.#bestOfAll;
    let needed = best * (wayMs + slackMs);
    // One round of many with more: where the line carries more, the rate shows it.
    if (this.#rounds % roundsOfBest === 0) needed += best * Math.min(wayMs / 4, slackMs);
    // While nothing waits, the rate is that of this allowance, and not of the line: grow faster and faster.
    this.#clearRounds = usedShare >= 1 && queueMs < slackMs / 2 ? this.#clearRounds + 1 : 0;
    if (this.#clearRounds > 0)
      needed = Math.max(needed, this.#bytes * (1 + Math.min(2 ** this.#clearRounds / 32, 0.5)));
    this.#bytes = Math.min(Math.max(needed, leastBytes), mostBytes);
  }

  get #bestOfAll(): number {
    return Math.max(this.#best, this.#bestBefore);
  }
}
