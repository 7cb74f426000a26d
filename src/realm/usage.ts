/** What is counted, in the order in which it is kept: new ones go to the end. */
const names = [
  "messagesIn",
  "bytesIn",
  "messagesOut",
  "bytesOut",
  "upgrades",
  "adminCalls",
  "alarms",
  "wakes",
  "awakeMs",
] as const;

/** What a realm's object has done, in sums. */
export type Sums = Readonly<Record<(typeof names)[number], number>>;

/** Sums where they are kept: since when, in milliseconds since 1970, then in the order of `names`. */
export type KeptSums = readonly number[];

/** What the admin API tells. */
export interface UsageReport extends Sums {
  /** ISO 8601. */
  readonly since: string;
  /** What is left of the time since then: nothing is billed for it. */
  readonly asleepMs: number;
}

/** How long the object stays in memory after its last event. Cloudflare says that this time isn't billed; counted it is. */
const idleBeforeSleepMs = 10_000;

/** To keep sums costs a quarter of what it costs to route a message, so it waits for so many at most. */
const messagesPerKeep = 256;

/** And for no more than this share of what the wake has brought: so the first sixteen are kept one by one. */
const unkeptShare = 1 / 16;

/** Sums that a link keeps go to storage when they are of so many messages, or so old: a restart loses no more. */
const maxMessagesInLink = 1_024;
const maxMsInLink = 3_600_000;

/**
 * What the object has done since its sums were last kept. It is in memory only, since a message must cost no more than an
 * addition; `isDue` says when it is time to keep what would be lost with the memory.
 */
export class Counters implements Record<keyof Sums, number> {
  messagesIn = 0;
  /** Characters of text messages, bytes of others. */
  bytesIn = 0;
  messagesOut = 0;
  bytesOut = 0;
  upgrades = 0;
  adminCalls = 0;
  alarms = 0;
  wakes = 1;
  awakeMs = idleBeforeSleepMs;
  #countedUpToMs: number;
  /** Of this wake. */
  #messagesKept = 0;
  /** There is something to keep that is no message: at first, the wake. */
  #isOwed = true;

  constructor(nowMs: number) {
    this.#countedUpToMs = nowMs;
  }

  get isDue(): boolean {
    const mostUnkept = Math.max(1, Math.min(messagesPerKeep, this.#messagesKept * unkeptShare));
    return this.#isOwed || this.messagesIn >= mostUnkept;
  }

  sent(length: number): void {
    this.messagesOut += 1;
    this.bytesOut += length;
  }

  /** Takes back what a link kept that ends. */
  takeBack(kept: KeptSums | undefined): void {
    if (kept === undefined) return;
    this.#isOwed = true;
    for (const name of names) this[name] += keptOf(kept, name);
    // They come again.
    this.#messagesKept -= keptOf(kept, "messagesIn");
  }

  /** Hands over what is to be kept, and begins anew. */
  drain(nowMs: number): Sums {
    this.awakeMs += nowMs - this.#countedUpToMs;
    this.#countedUpToMs = nowMs;
    this.#messagesKept += this.messagesIn;
    const sums = sumsOf((name) => this[name]);
    for (const name of names) this[name] = 0;
    this.#isOwed = false;
    return sums;
  }
}

/** Sums as they are kept, with those that are kept there already. */
export function keep(sums: Sums, before: KeptSums | undefined, nowMs: number): KeptSums {
  return [before?.[0] ?? nowMs, ...names.map((name) => sums[name] + keptOf(before, name))];
}

/** What two links keep, as one of them may. */
export function merged(one: KeptSums, other: KeptSums): KeptSums {
  const since = [one, other].map(([sinceMs = Infinity]) => sinceMs);
  return [Math.min(...since), ...keep(sumsIn(one), other, 0).slice(1)];
}

/** Kept sums as what they were. */
export function sumsIn(kept: KeptSums | undefined): Sums {
  return sumsOf((name) => keptOf(kept, name));
}

/** Whether sums that a link keeps are so many, or so old, that they belong into storage. */
export function belongsIntoStorage(kept: KeptSums, nowMs: number): boolean {
  return keptOf(kept, "messagesIn") >= maxMessagesInLink || nowMs - (kept[0] ?? 0) >= maxMsInLink;
}

/** Kept sums for those who ask. @param others are added: what links keep */
export function reportOf(stored: KeptSums, others: Iterable<KeptSums>, nowMs: number): UsageReport {
  let all = stored;
  for (const kept of others) all = keep(sumsIn(kept), all, nowMs);
  const [sinceMs = nowMs] = all;
  const sums = sumsIn(all);
  const asleepMs = Math.max(0, nowMs - sinceMs - sums.awakeMs);
  return { since: new Date(sinceMs).toISOString(), ...sums, asleepMs };
}

function keptOf(kept: KeptSums | undefined, name: keyof Sums): number {
  // Absent where code that didn't count it kept the others.
  return kept?.[names.indexOf(name) + 1] ?? 0;
}

function sumsOf(valueOf: (name: keyof Sums) => number): Sums {
  // All names are there, which the compiler can't see.
  return Object.fromEntries(names.map((name) => [name, valueOf(name)])) as Sums;
}
