import { frameHeaderBytes, limits, routerLimits, segmentHeaderBytes } from "@messagepasser/protocol";

/** Bytes of a mark on its way: a segment of its own with a token and a budget. */
export const markBytes = segmentHeaderBytes + frameHeaderBytes + 8;

/** What the router may still hold in memory of what it sent to one link. */
export class Meter {
  /** Bytes after the last mark that was reached, while another one is under way; otherwise 0. */
  heldBytes = 0;
  /** Bytes after the last mark that was sent, or that was reached; not in `heldBytes` while no mark is under way. */
  unmarkedBytes = 0;
  /** Marks that the client has not reached, in the order in which they were sent. */
  readonly marks: Mark[] = [];
  unknownTokens = 0;
  /** What its client was last told that it may grant. */
  budgetBytes = Infinity;
  /** No mark was sent yet. */
  isNew = true;
  /** The router has closed the link, but its bytes stay until the socket has gone. */
  isClosing = false;
}

interface Mark {
  readonly token: number;
  /** Bytes since the mark before. */
  readonly bytes: number;
}

/**
 * What the router holds for clients that don't read. The runtime queues what is sent without bound and doesn't tell how
 * much that is, so the router puts marks between the segments, and the client answers those that it has read. A random
 * token in each shows that it has.
 *
 * No link may hold more than half of what is left of the cap. Alone, one may have a third of the cap (q = (cap - q) / 2);
 * of many that don't read each has less, and together they never have all.
 */
export class UnreadLimiter {
  readonly #randomU32: () => number;
  /** Of all links. */
  #heldBytes = 0;
  /** Sent to links that have no mark under way, behind their last one: not counted as held. */
  #tailBytes = 0;
  /** How many links have a mark under way: as far as can be known, those that are busy. */
  #busyLinks = 0;
  /** Of those that are closing: nothing but time, or the end of the object, frees it. */
  #closingBytes = 0;

  constructor(randomU32: () => number) {
    this.#randomU32 = randomU32;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  get closingBytes(): number {
    return this.#closingBytes;
  }

  /** Whether a link may be sent so many bytes more. One of which all is read, or nearly, may while there is room at all. */
  admits(meter: Meter, bytes: number): boolean {
    if (meter.heldBytes === 0) return this.#hasRoom(meter, bytes);
    return meter.heldBytes + bytes <= (limits.maxUnreadBytes - this.#heldBytes) / 2;
  }

  /** Whether all is within the cap after so many bytes more, with the tail and the mark that come to be counted then. */
  #hasRoom(meter: Meter, bytes: number): boolean {
    const tailBytes = meter.heldBytes === 0 ? meter.unmarkedBytes : 0;
    return this.#heldBytes + tailBytes + bytes + markBytes <= limits.maxUnreadBytes;
  }

  /** Whether a link takes what it doesn't have to take yet: it has less than half of what it may have. */
  admitsEarly(meter: Meter, bytes: number): boolean {
    return meter.heldBytes + bytes <= (limits.maxUnreadBytes - this.#heldBytes) / 4;
  }

  /**
   * Counts what was just sent to a link.
   *
   * @returns the token of a mark that is to follow at once and is counted too, or 0 for none.
   */
  count(meter: Meter, bytes: number): number {
    meter.unmarkedBytes += bytes;
    // A tail that is never marked isn't counted: an idle link holds nothing, for all that the router can know.
    if (meter.marks.length === 0) this.#tailBytes += bytes;
    else this.#hold(meter, bytes);
    return this.#isDue(meter) ? this.#mark(meter) : 0;
  }

  /** Whether a mark is to follow. A client's answer costs as much as a small message, so they come as late as memory allows. */
  #isDue({ isNew, marks, unmarkedBytes }: Meter): boolean {
    if (unmarkedBytes < limits.firstMarkBytes) return false;
    const isEarly = isNew || (marks.length === 0 && this.#tailBytes > routerLimits.maxTailBytes);
    const share = isEarly ? 0 : routerLimits.maxUnmarkedBytes / this.#busyLinks;
    return unmarkedBytes >= Math.min(limits.markEveryBytes, share);
  }

  #mark(meter: Meter): number {
    // The first mark under way: from here on the tail counts.
    if (meter.marks.length === 0) {
      this.#tailBytes -= meter.unmarkedBytes;
      this.#hold(meter, meter.unmarkedBytes);
      this.#busyLinks++;
    }
    meter.isNew = false;
    this.#hold(meter, markBytes);
    const token = this.#randomU32() || 1;
    meter.marks.push({ token, bytes: meter.unmarkedBytes + markBytes });
    meter.unmarkedBytes = 0;
    return token;
  }

  /**
   * A client has read up to a mark. A token of no mark is ignored: it may be from before the router lost its memory.
   *
   * @returns the token of a mark that is to be sent now, or 0 for none.
   */
  reached(meter: Meter, token: number): number {
    if (meter.isClosing || meter.unknownTokens > routerLimits.maxUnknownTokens) return 0;
    const at = meter.marks.findIndex((mark) => mark.token === token);
    if (at === -1) {
      meter.unknownTokens++;
      return 0;
    }
    for (const { bytes } of meter.marks.splice(0, at + 1)) this.#hold(meter, -bytes);
    if (meter.marks.length > 0) return 0;
    this.#busyLinks--;
    this.#hold(meter, -meter.heldBytes);
    this.#tailBytes += meter.unmarkedBytes;
    return this.#isDue(meter) ? this.#mark(meter) : 0;
  }

  /**
   * How much a client may grant to its peers in all: an equal share of what all may that are busy, and no more than two
   * thirds of what may be unread of its link, since frames have headers too.
   *
   * @param mayBeBusy how many may be soon, where that is known.
   */
  budgetOf(meter: Meter, mayBeBusy = 1): number {
    const share = limits.maxBudgetBytes / Math.max(mayBeBusy, this.#busyLinks);
    const ofOthers = this.#heldBytes - meter.heldBytes;
    const mostBytes = (limits.maxUnreadBytes - ofOthers) / 3;
    return Math.max(0, Math.floor(Math.min(share, (mostBytes * 2) / 3)));
  }

  /**
   * The budget that a client is told now: at most twice the one before. Where many begin at once, it is known how many by
   * the time that they hear again.
   */
  tellBudget(meter: Meter, mayBeBusy?: number): number {
    const mostBytes = Math.max(limits.minWindowBytes, 2 * meter.budgetBytes);
    meter.budgetBytes = Math.min(mostBytes, this.budgetOf(meter, mayBeBusy));
    return meter.budgetBytes;
  }

  /** The router closes a link: what it holds for it stays until the socket has gone. */
  close(meter: Meter): void {
    if (meter.isClosing) return;
    meter.isClosing = true;
    this.#closingBytes += meter.heldBytes;
  }

  /** A link's socket has gone, and all that was held for it. */
  end(meter: Meter): void {
    this.#hold(meter, -meter.heldBytes);
    if (meter.marks.length === 0) this.#tailBytes -= meter.unmarkedBytes;
    else this.#busyLinks--;
    meter.marks.length = 0;
    meter.unmarkedBytes = 0;
  }

  /** Whether nothing helps but to end the object: links that are closing hold most of the cap, or no link has room for these bytes. */
  isExhausted(meter: Meter, bytes: number): boolean {
    return this.#closingBytes > (limits.maxUnreadBytes * 3) / 4 || !this.#hasRoom(meter, bytes);
  }

  #hold(meter: Meter, bytes: number): void {
    meter.heldBytes += bytes;
    this.#heldBytes += bytes;
    if (meter.isClosing) this.#closingBytes += bytes;
  }
}
