import { frameHeaderBytes, limits, routerLimits, segmentHeaderBytes } from "@messagepasser/protocol";
import type { Share } from "./inflow.ts";
import type { Mark, Meter } from "./meter.ts";
import type { Account, Group } from "./principals.ts";

/** Bytes of a mark: one segment with a token and a budget. */
export const markBytes = segmentHeaderBytes + frameHeaderBytes + 8;

/** What the limiter needs of the platform. */
export interface UnreadRuntime {
  /** Milliseconds since 1970. */
  now(): number;
  /** A random number that no client can guess. */
  randomU32(): number;
}

/**
 * Limits what the router holds in memory for clients that don't read. The runtime queues what is sent without a bound, and
 * doesn't tell how much it has queued. So the router sends marks between segments, and a client answers each mark that it
 * has read; a random token in the mark proves it.
 *
 * The links of one client, closed ones included, hold no more than half of what is left of the cap: of many clients that
 * don't read each holds less, one alone a third of the cap (q = (cap - q) / 2), and together they never hold all. Guests
 * of one client share a quarter of the cap, of which each may hold half of what is left. The holders of one key's tokens
 * share half of the cap in the same way.
 */
export class UnreadLimiter {
  readonly #runtime: UnreadRuntime;
  /** Bytes that all links hold. */
  #heldBytes = 0;
  /** Bytes after the last marks of links that have no mark under way. They don't count as held. */
  #tailBytes = 0;
  /** Links with a mark under way, the router's estimate of which are busy. The one that showed least progress is first. */
  readonly #busy = new Set<Meter>();
  /** Accounts of busy links. */
  #busyAccounts = 0;
  /** Accounts of all live links. */
  #presentAccounts = 0;
  /** Bytes that closing links hold. Only the ends of their sockets, or of the object, free them. */
  #closingBytes = 0;

  constructor(runtime: UnreadRuntime) {
    this.#runtime = runtime;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  get closingBytes(): number {
    return this.#closingBytes;
  }

  /** Begins to count a new link, or one that was looked up for the first time after a wake. */
  begin({ account }: Meter): void {
    if (account.links++ === 0) this.#presentAccounts++;
  }

  /** Whether a client may open a link: not while its closed links are many, or hold so much that a new one would get nothing. */
  mayBegin(account: Account): boolean {
    if (account.closingLinks >= routerLimits.maxClosingLinks) return false;
    const leftBytes = Math.max(this.#roomBytes(account, 0), this.#owingBytes(account));
    return account.closingBytes === 0 || leftBytes >= limits.firstMarkBytes;
  }

  /** Whether a link may be sent this many bytes. A client that holds nothing may as long as there is any room. */
  admits(meter: Meter, bytes: number): boolean {
    const { account } = meter;
    if (account.heldBytes === 0) return this.#hasRoom(meter, bytes);
    if (bytes <= this.#roomBytes(account, meter.heldBytes)) return true;
    return account.closingBytes > 0 && bytes <= this.#owingBytes(account) && this.#hasRoom(meter, bytes);
  }

  /** What a link that holds these bytes may be sent. */
  #roomBytes({ heldBytes, isOfGuests, group }: Account, linkBytes: number): number {
    const freeBytes = Math.min(limits.maxUnreadBytes - this.#heldBytes, leftBytesOf(group));
    if (!isOfGuests) return freeBytes / 2 - heldBytes;
    return Math.min(freeBytes, routerLimits.maxGuestsUnreadBytes - heldBytes) / 2 - linkBytes;
  }

  /** What the links of a client may be sent whose closed links hold all that it may. */
  #owingBytes({ heldBytes, closingBytes, isOfGuests }: Account): number {
    const mostBytes = isOfGuests ? routerLimits.maxGuestsUnreadBytes : routerLimits.maxOwedBytes;
    return Math.min(routerLimits.owingLinkBytes - (heldBytes - closingBytes), mostBytes - heldBytes);
  }

  /** Whether the cap, and that of the group, has room for this many bytes. */
  #hasRoom(meter: Meter, bytes: number): boolean {
    return this.#fits(
      meter,
      bytes,
      Math.min(limits.maxUnreadBytes - this.#heldBytes, leftBytesOf(meter.account.group)),
    );
  }

  /** Whether so much room is enough for this many bytes, with the tail and the mark that count as held from then on. */
  #fits({ heldBytes, unmarkedBytes }: Meter, bytes: number, roomBytes: number): boolean {
    const tailBytes = heldBytes === 0 ? unmarkedBytes : 0;
    return tailBytes + bytes + markBytes <= roomBytes;
  }

  /**
   * Whether a principal has sent a link more than peers of a client that keeps to its budgets can have under way: where the
   * link is filled, which shows by a mark that waits, or at once where the burst is large.
   */
  isFlood({ marks, allowanceBytes }: Meter, unreadBytes: number): boolean {
    const mostBytes = 1.5 * allowanceBytes + routerLimits.floodSlackBytes;
    if (unreadBytes <= mostBytes) return false;
    if (unreadBytes > mostBytes + routerLimits.burstBytes) return true;
    return this.#runtime.now() - (marks[0]?.sentAtMs ?? Infinity) > routerLimits.filledAfterMs;
  }

  /** Whether a principal has sent more to all links together than one client may hold, and some of it to this one. */
  causesTooMuch({ by, unreadBytes }: Share): boolean {
    return by.causedBytes > limits.maxUnreadBytes / 3 && unreadBytes > routerLimits.owingLinkBytes;
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
  #isDue({ markCount, marks, unmarkedBytes }: Meter): boolean {
    if (unmarkedBytes < limits.firstMarkBytes) return false;
    const isEarly = markCount === 0 || (marks.length === 0 && this.#tailBytes > routerLimits.maxTailBytes);
    const share = isEarly ? 0 : routerLimits.maxUnmarkedBytes / this.#busy.size;
    return unmarkedBytes >= Math.min(limits.markEveryBytes, share);
  }

  #mark(meter: Meter): number {
    // With a mark under way, the tail counts as held.
    if (meter.marks.length === 0) {
      this.#tailBytes -= meter.unmarkedBytes;
      this.#hold(meter, meter.unmarkedBytes);
      this.#setBusy(meter);
    }
    this.#hold(meter, markBytes);
    const token = this.#runtime.randomU32() || 1;
    const bytes = meter.unmarkedBytes + markBytes;
    meter.marks.push({ token, bytes, number: ++meter.markCount, sentAtMs: this.#runtime.now(), budgetBytes: 0 });
    meter.unmarkedBytes = 0;
    return token;
  }

  /**
   * A client has read up to a mark. An unknown token is ignored: it may be older than the object's memory.
   *
   * @returns the token of a mark that must be sent next, or 0 for none.
   */
  reached(meter: Meter, token: number): number {
    if (meter.state !== "live" || meter.unknownTokens > routerLimits.maxUnknownTokens) return 0;
    const at = meter.marks.findIndex((mark) => mark.token === token);
    if (at === -1) {
      meter.unknownTokens++;
      return 0;
    }
    this.#free(meter, meter.marks.splice(0, at + 1));
    if (meter.marks.length > 0) {
      this.#setBusy(meter);
      return 0;
    }
    this.#setIdle(meter);
    this.#hold(meter, -meter.heldBytes);
    meter.inflow.readAll();
    this.#tailBytes += meter.unmarkedBytes;
    return this.#isDue(meter) ? this.#mark(meter) : 0;
  }

  /** A client has reached these marks. */
  #free(meter: Meter, reached: readonly Mark[]): void {
    const [first, last] = [reached[0], reached.at(-1)];
    if (first === undefined || last === undefined) return;
    const bytes = reached.reduce((sum, mark) => sum + mark.bytes, 0);
    this.#hold(meter, -bytes);
    meter.inflow.read(last.number);
    meter.pace.reached(bytes, { first: first.sentAtMs, last: last.sentAtMs }, this.#runtime.now());
    // What was granted by an earlier, larger budget is used up byte by byte.
    meter.allowanceBytes = Math.max(meter.budgetBytes, meter.knownBudgetBytes, meter.allowanceBytes - bytes);
    meter.knownBudgetBytes = last.budgetBytes;
  }

  /** Notes that a link has made progress, and counts it as busy from now on. */
  #setBusy(meter: Meter): void {
    if (this.#busy.delete(meter)) meter.account.busyLinks--;
    else if (meter.account.busyLinks === 0) this.#busyAccounts++;
    this.#busy.add(meter);
    meter.account.busyLinks++;
    meter.progressMs = this.#runtime.now();
  }

  #setIdle(meter: Meter): void {
    if (this.#busy.delete(meter) && --meter.account.busyLinks === 0) this.#busyAccounts--;
  }

  /** A link that has not answered a mark for long doesn't read, and needs no budget. */
  #forgetStuck(): void {
    const sinceMs = this.#runtime.now() - routerLimits.busyForMs;
    for (const meter of this.#busy) {
      if (meter.progressMs > sinceMs) return;
      this.#setIdle(meter);
    }
  }

  /**
   * The credit that a client may grant to all its peers together: an equal share for each busy account, which its busy
   * links share, at most what the link's speed is a reason for, and at most two thirds of what the client's link may hold,
   * since frames have headers too.
   *
   * @param isNew whether all links count as busy: they may all start at once
   */
  budgetOf({ account, heldBytes, pace }: Meter, isNew = false): number {
    this.#forgetStuck();
    const accounts = isNew ? this.#presentAccounts : this.#busyAccounts;
    const links = isNew ? account.links : account.busyLinks;
    const share = limits.maxBudgetBytes / Math.max(1, accounts) / Math.max(1, links);
    const freeBytes = Math.min(limits.maxUnreadBytes - this.#heldBytes, leftBytesOf(account.group));
    const { maxGuestsUnreadBytes } = routerLimits;
    const mostBytes = account.isOfGuests
      ? Math.min(freeBytes + heldBytes, maxGuestsUnreadBytes - account.heldBytes + heldBytes) / 3
      : (freeBytes + account.heldBytes) / 3 - account.closingBytes;
    const owingBytes = account.closingBytes > 0 ? this.#owingBytes(account) : 0;
    return Math.max(0, Math.floor(Math.min(share, pace.budgetBytes, (Math.max(mostBytes, owingBytes) * 2) / 3)));
  }

  /**
   * The budget that a client is told now: at most twice the one before, and twice the one that the client knows by now. So
   * where many clients begin at once, the router knows how many they are before their budgets grow.
   *
   * @param isNew as `budgetOf` has it
   */
  tellBudget(meter: Meter, isNew?: boolean): number {
    const beforeBytes = Math.min(meter.budgetBytes, meter.knownBudgetBytes);
    const mostBytes = Math.max(limits.minWindowBytes, 2 * beforeBytes);
    const budgetBytes = Math.min(mostBytes, this.budgetOf(meter, isNew));
    meter.budgetBytes = budgetBytes;
    meter.allowanceBytes = Math.max(meter.allowanceBytes, budgetBytes);
    const mark = meter.marks.at(-1);
    if (mark !== undefined) mark.budgetBytes = budgetBytes;
    return budgetBytes;
  }

  /** The router closes a link. The link's bytes stay in memory until its socket is gone: now its tail counts too. */
  close(meter: Meter): void {
    if (meter.state !== "live") return;
    this.#depart(meter);
    if (meter.marks.length === 0) {
      this.#tailBytes -= meter.unmarkedBytes;
      this.#hold(meter, meter.unmarkedBytes);
    }
    meter.state = "closing";
    meter.account.closingLinks++;
    meter.account.closingBytes += meter.heldBytes;
    this.#closingBytes += meter.heldBytes;
  }

  /** A link's socket is gone, and with it all bytes that were held for the link. */
  end(meter: Meter): void {
    if (meter.state === "gone") return;
    if (meter.state === "closing") meter.account.closingLinks--;
    else {
      this.#depart(meter);
      if (meter.marks.length === 0) this.#tailBytes -= meter.unmarkedBytes;
    }
    this.#hold(meter, -meter.heldBytes);
    meter.inflow.readAll();
    meter.marks.length = 0;
    meter.unmarkedBytes = 0;
    meter.state = "gone";
  }

  #depart(meter: Meter): void {
    this.#setIdle(meter);
    if (--meter.account.links === 0) this.#presentAccounts--;
  }

  /** Whether the object has to end: closing links hold most of the cap, or these bytes have no room on any link. */
  isExhausted(meter: Meter, bytes: number): boolean {
    return (
      this.#closingBytes > (limits.maxUnreadBytes * 3) / 4 ||
      !this.#fits(meter, bytes, limits.maxUnreadBytes - this.#heldBytes)
    );
  }

  #hold(meter: Meter, bytes: number): void {
    meter.heldBytes += bytes;
    meter.account.heldBytes += bytes;
    if (meter.account.group !== undefined) meter.account.group.heldBytes += bytes;
    this.#heldBytes += bytes;
    if (meter.state === "closing") {
      meter.account.closingBytes += bytes;
      this.#closingBytes += bytes;
    }
  }
}

/** What the holders of a key's tokens may still hold together. */
function leftBytesOf(group: Group | undefined): number {
  return group === undefined ? Infinity : routerLimits.maxHoldersUnreadBytes - group.heldBytes;
}
