import { frameHeaderBytes, limits, routerLimits, segmentHeaderBytes } from "@messagepasser/protocol";

/** Bytes of a mark: one segment with a token and a budget. */
export const markBytes = segmentHeaderBytes + frameHeaderBytes + 8;

/** How much the router may still hold in memory of what it sent to one link. */
export class Meter {
  /** Bytes after the last mark that was reached, while another mark is under way; otherwise 0. */
  heldBytes = 0;
  /** Bytes after the last mark that was sent. Part of `heldBytes` only while a mark is under way. */
  unmarkedBytes = 0;
  /** Marks that the client has not reached, the oldest first. */
  readonly marks: Mark[] = [];
  unknownTokens = 0;
  /** The budget that the client was last told. */
  budgetBytes = Infinity;
  /** Whether no mark was sent yet. */
  isNew = true;
  /** Whether the router has closed the link. Its bytes stay in memory until the socket is gone. */
  isClosing = false;
}

interface Mark {
  readonly token: number;
  /** Bytes since the mark before, this mark included. */
  readonly bytes: number;
}

/**
 * Limits what the router holds in memory for clients that don't read. The runtime queues what is sent without a bound, and
 * doesn't tell how much it has queued. So the router sends marks between segments, and a client answers each mark that it
 * has read; a random token in the mark proves it.
 *
 * No link may hold more than half of what is left of the cap. One link alone may hold a third of the cap (q = (cap - q) / 2);
 * of many links that don't read each holds less, and together they never hold all.
 */
export class UnreadLimiter {
  readonly #randomU32: () => number;
  /** Bytes that all links hold. */
  #heldBytes = 0;
  /** Bytes after the last marks of links that have no mark under way. They don't count as held. */
  #tailBytes = 0;
  /** How many links have a mark under way: the router's estimate of how many are busy. */
  #busyLinks = 0;
  /** Bytes that closing links hold. Only the ends of their sockets, or of the object, free them. */
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

  /** Whether a link may be sent this many bytes. A link that holds nothing may as long as there is any room. */
  admits(meter: Meter, bytes: number): boolean {
    if (meter.heldBytes === 0) return this.#hasRoom(meter, bytes);
    return meter.heldBytes + bytes <= (limits.maxUnreadBytes - this.#heldBytes) / 2;
  }

  /** Whether the cap has room for this many bytes, with the tail and the mark that count as held from then on. */
  #hasRoom(meter: Meter, bytes: number): boolean {
    const tailBytes = meter.heldBytes === 0 ? meter.unmarkedBytes : 0;
    return this.#heldBytes + tailBytes + bytes + markBytes <= limits.maxUnreadBytes;
  }

  /** Whether a link may be sent a first message before its client accepts it: it holds less than half of what it may. */
  admitsFirst(meter: Meter, bytes: number): boolean {
    return meter.heldBytes + bytes <= (limits.maxUnreadBytes - this.#heldBytes) / 4;
  }

  /**
   * Counts bytes that were just sent to a link.
   *
   * @returns the token of a mark that must be sent next, which is counted already; 0 for none.
   */
  count(meter: Meter, bytes: number): number {
    meter.unmarkedBytes += bytes;
    // Bytes without a mark under way don't count: the client of an idle link has most likely read them.
    if (meter.marks.length === 0) this.#tailBytes += bytes;
    else this.#hold(meter, bytes);
    return this.#isDue(meter) ? this.#mark(meter) : 0;
  }

  /** Whether a mark is due. Its answer costs as much as a small message, so marks are as rare as memory allows. */
  #isDue({ isNew, marks, unmarkedBytes }: Meter): boolean {
    if (unmarkedBytes < limits.firstMarkBytes) return false;
    const isEarly = isNew || (marks.length === 0 && this.#tailBytes > routerLimits.maxTailBytes);
    const share = isEarly ? 0 : routerLimits.maxUnmarkedBytes / this.#busyLinks;
    return unmarkedBytes >= Math.min(limits.markEveryBytes, share);
  }

  #mark(meter: Meter): number {
    // With a mark under way, the tail counts as held.
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
   * A client has read up to a mark. An unknown token is ignored: it may be older than the object's memory.
   *
   * @returns the token of a mark that must be sent next, or 0 for none.
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
   * The credit that a client may grant to all its peers together: an equal share for each busy link, and at most two thirds
   * of what the client's link may hold, since frames have headers too.
   *
   * @param mayBeBusy how many links may be busy soon, where that is known.
   */
  budgetOf(meter: Meter, mayBeBusy = 1): number {
    const share = limits.maxBudgetBytes / Math.max(mayBeBusy, this.#busyLinks);
    const ofOthers = this.#heldBytes - meter.heldBytes;
    const mostBytes = (limits.maxUnreadBytes - ofOthers) / 3;
    return Math.max(0, Math.floor(Math.min(share, (mostBytes * 2) / 3)));
  }

  /**
   * The budget that a client is told now: at most twice the budget before. So where many clients begin at once, the router
   * knows how many they are before their budgets grow.
   */
  tellBudget(meter: Meter, mayBeBusy?: number): number {
    const mostBytes = Math.max(limits.minWindowBytes, 2 * meter.budgetBytes);
    meter.budgetBytes = Math.min(mostBytes, this.budgetOf(meter, mayBeBusy));
    return meter.budgetBytes;
  }

  /** The router closes a link. The link's bytes stay in memory until its socket is gone. */
  close(meter: Meter): void {
    if (meter.isClosing) return;
    meter.isClosing = true;
    this.#closingBytes += meter.heldBytes;
  }

  /** A link's socket is gone, and with it all bytes that were held for the link. */
  end(meter: Meter): void {
    this.#hold(meter, -meter.heldBytes);
    if (meter.marks.length === 0) this.#tailBytes -= meter.unmarkedBytes;
    else this.#busyLinks--;
    meter.marks.length = 0;
    meter.unmarkedBytes = 0;
  }

  /** Whether the object has to end: closing links hold most of the cap, or these bytes have no room on any link. */
  isExhausted(meter: Meter, bytes: number): boolean {
    return this.#closingBytes > (limits.maxUnreadBytes * 3) / 4 || !this.#hasRoom(meter, bytes);
  }

  #hold(meter: Meter, bytes: number): void {
    meter.heldBytes += bytes;
    this.#heldBytes += bytes;
    if (meter.isClosing) this.#closingBytes += bytes;
  }
}
