import { routerLimits } from "@messagepasser/protocol";
import { type Usage, usageCounters } from "@messagepasser/protocol/admin";

/** What a realm's object has done, in sums. */
export type Sums = Readonly<Record<(typeof usageCounters)[number], number>>;

/** Sums as they are stored: since when, in milliseconds since 1970, then the sums in the order of `usageCounters`. */
export type KeptSums = readonly number[];

/** How long the object stays in memory after its last event. Cloudflare doesn't bill this time, but it is counted. */
const idleBeforeSleepMs = 10_000;

/** The part of a wake's messages that may be kept in memory only. So each of the first 16 messages is kept at once. */
const unkeptShare = 1 / 16;

/**
 * What the object has done since its sums were last kept. Counting is an addition in memory, because it happens for each
 * message; to keep the sums costs a quarter of what it costs to route one. `isDue` says when they have to be kept.
 */
export class Counters implements Record<keyof Sums, number> {
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
    return this.#isOwed || this.messagesIn >= mostUnkept;
  }

  sent(length: number): void {
    this.messagesOut += 1;
    this.bytesOut += length;
  }

  /** Takes back what the attachment of a link kept, because the link ends. */
  takeBack(kept: KeptSums | undefined): void {
    if (kept === undefined) return;
    this.#isOwed = true;
    for (const name of usageCounters) this[name] += keptOf(kept, name);
    // They will be kept a second time.
    this.#messagesKept -= keptOf(kept, "messagesIn");
  }

  /** Returns the sums and starts again from 0. */
  drain(nowMs: number): Sums {
    this.awakeMs += nowMs - this.#countedUpToMs;
    this.#countedUpToMs = nowMs;
    this.#messagesKept += this.messagesIn;
    const sums = sumsOf((name) => this[name]);
    for (const name of usageCounters) this[name] = 0;
    this.#isOwed = false;
    return sums;
  }
}

/** Adds sums to kept ones. */
export function add(sums: Sums, kept: KeptSums | undefined, nowMs: number): KeptSums {
  return [kept?.[0] ?? nowMs, ...usageCounters.map((name) => sums[name] + keptOf(kept, name))];
}

/** Adds up what two links keep. */
export function merged(one: KeptSums, other: KeptSums): KeptSums {
  const since = [one, other].map(([sinceMs = Infinity]) => sinceMs);
  return [Math.min(...since), ...add(sumsIn(one), other, 0).slice(1)];
}

export function sumsIn(kept: KeptSums): Sums {
  return sumsOf((name) => keptOf(kept, name));
}

/** Whether the sums in a link's attachment are large or old enough to go to storage. */
export function belongsIntoStorage(kept: KeptSums, nowMs: number): boolean {
  const { maxMessagesInAttachment, maxMsInAttachment } = routerLimits;
  return keptOf(kept, "messagesIn") >= maxMessagesInAttachment || nowMs - (kept[0] ?? 0) >= maxMsInAttachment;
}

/** Kept sums as the admin API shows them. */
export function usageOf(kept: KeptSums, nowMs: number): Usage {
  const [sinceMs = nowMs] = kept;
  const sums = sumsIn(kept);
  return {
    since: new Date(sinceMs).toISOString(),
    ...sums,
    asleepMs: Math.max(0, nowMs - sinceMs - sums.awakeMs),
  };
}

function keptOf(kept: KeptSums | undefined, name: keyof Sums): number {
  return kept?.[usageCounters.indexOf(name) + 1] ?? 0;
}

function sumsOf(valueOf: (name: keyof Sums) => number): Sums {
  // It has all names, which the compiler can't see.
  return Object.fromEntries(usageCounters.map((name) => [name, valueOf(name)])) as Sums;
}
