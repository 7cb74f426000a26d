import { routerLimits } from "@messagepasser/protocol";
import { type Usage, usageCounters } from "@messagepasser/protocol/admin";

/** Sums as they are stored: since when, in milliseconds since 1970, then one sum for each of `usageCounters`. */
export type KeptSums = readonly number[];

/** How long the object stays in memory after its last event. Cloudflare doesn't bill this time, but it is counted. */
const idleBeforeSleepMs = 10_000;

/** The part of a wake's messages that may be kept in memory only. So each of the first 16 messages is kept at once. */
const unkeptShare = 1 / 16;

/**
 * What the object has done since its sums were last kept. Counting is an addition in memory, because it happens for each
 * message; to keep the sums costs a quarter of what it costs to route one. `isDue` says when they have to be kept.
 */
export class Counters implements Record<(typeof usageCounters)[number], number> {
  messagesIn = 0;
  /** Characters of text messages, bytes of binary messages. */
  bytesIn = 0;
  messagesOut = 0;
  bytesOut = 0;
  upgrades = 0;
  adminCalls = 0;
  alarms = 0;
  wakes = 1;
  awakeMs = idleBeforeSleepMs;
  tickets = 0;
  messagesAfterClose = 0;
  /** Of other shards. */
  calls = 0;
  /** Calls of other shards, and their answers, over WebSockets. */
  callMessages = 0;
  #countedUpToMs: number;
  /** Messages of this wake. */
  #messagesKept = 0;
  /** Whether something besides messages must be kept: at first, the wake. */
  #isOwed = true;

  constructor(nowMs: number) {
    this.#countedUpToMs = nowMs;
  }

  get isDue(): boolean {
    const mostUnkept = Math.max(1, Math.min(routerLimits.maxUnkeptMessages, this.#messagesKept * unkeptShare));
    return this.#isOwed || this.#messages >= mostUnkept;
  }

  get #messages(): number {
    return this.messagesIn + this.calls + this.callMessages;
  }

  /** Counts what costs no message: a refused upgrade or a call of an administrator. It has to be kept soon. */
  addCall(name: "upgrades" | "adminCalls"): void {
    this[name] += 1;
    this.#isOwed = true;
  }

  sent(length: number): void {
    this.messagesOut += 1;
    this.bytesOut += length;
  }

  /** Takes back what the attachment of a link kept, because the link ends. */
  takeBack(kept: KeptSums | undefined): void {
    if (kept === undefined) return;
    this.#isOwed = true;
    const messagesBefore = this.#messages;
    for (const [at, name] of usageCounters.entries()) this[name] += kept[at + 1] ?? 0;
    // They will be kept a second time.
    this.#messagesKept -= this.#messages - messagesBefore;
  }

  /** The sums that are in memory only. */
  sums(nowMs: number): KeptSums {
    this.awakeMs += nowMs - this.#countedUpToMs;
    this.#countedUpToMs = nowMs;
    return [nowMs, ...usageCounters.map((name) => this[name])];
  }

  /** Returns the sums and starts again from 0. */
  drain(nowMs: number): KeptSums {
    const sums = this.sums(nowMs);
    this.#messagesKept += this.#messages;
    for (const name of usageCounters) this[name] = 0;
    this.#isOwed = false;
    return sums;
  }
}

/** Adds up two sums. The older one says since when. */
export function added(one: KeptSums, other: KeptSums = []): KeptSums {
  const sinceMs = Math.min(one[0] ?? Infinity, other[0] ?? Infinity);
  return [sinceMs, ...usageCounters.map((_, at) => (one[at + 1] ?? 0) + (other[at + 1] ?? 0))];
}

/** Whether the sums in a link's attachment are large or old enough to go to storage. */
export function belongsIntoStorage(kept: KeptSums, nowMs: number): boolean {
  const [sinceMs = 0, messagesIn = 0] = kept;
  return messagesIn >= routerLimits.maxMessagesInAttachment || nowMs - sinceMs >= routerLimits.maxMsInAttachment;
}

/** Sums as the admin API shows them. */
export function usageOf([sinceMs = 0, ...sums]: KeptSums, nowMs: number): Omit<Usage, "unclosed"> {
  // It has all names, which the compiler can't see.
  const named = Object.fromEntries(usageCounters.map((name, at) => [name, sums[at] ?? 0])) as Record<
    (typeof usageCounters)[number],
    number
  >;
  const asleepMs = Math.max(0, nowMs - sinceMs - named.awakeMs);
  return { since: new Date(sinceMs).toISOString(), ...named, asleepMs };
}
