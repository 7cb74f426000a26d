import { routerLimits } from "@messagepasser/protocol";
import type { Usage } from "@messagepasser/protocol/admin";
import type { SocketLink } from "./socket-link.ts";
import { added, belongsIntoStorage, Counters, type KeptSums, usageOf } from "./usage.ts";

/** The storage row of the realm's sums. */
const key = "usage";

/**
 * Keeps what a realm's object counts beyond the object's memory: in the attachment of one link, which costs nothing, and
 * in storage where no link is at hand or the attachment already keeps much.
 */
export class UsageKeeper {
  readonly counters = new Counters(Date.now());
  readonly #storage: DurableObjectStorage;
  #stored: KeptSums | undefined;
  #storedAtMs = -Infinity;
  /** The link whose attachment keeps what was counted since the wake. */
  #holder: SocketLink | undefined;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  /**
   * Keeps the counts if enough of them are in memory only. Without an open link that costs a row: at most once a second.
   *
   * @param link whose attachment may keep them. Default: the one whose attachment does.
   */
  keepIfDue(link: SocketLink | undefined = this.#holder): void {
    if (!this.counters.isDue) return;
    const costsRow = link === undefined || link.memory.isOver;
    const isTooSoon = Date.now() - this.#storedAtMs < routerLimits.minMsBetweenUsageRows;
    if (!costsRow || !isTooSoon) this.keep(link);
  }

  /** Counts what came from another shard. */
  countCall(counter: "calls" | "callMessages"): void {
    this.counters[counter] += 1;
    this.keepIfDue();
  }

  /** Keeps the counts. @param link a link whose attachment may keep them */
  keep(link?: SocketLink): void {
    const nowMs = Date.now();
    const sums = this.counters.drain(nowMs);
    // The attachment of a link that is over is empty, and stays so.
    if (link === undefined || link.memory.isOver) {
      this.#store(sums);
      return;
    }
    let kept = added(sums, link.usage);
    // The sums move with the latest link: if each link kept its own, each would cost a row an hour.
    const before = this.#holder;
    this.#holder = link;
    if (before?.usage !== undefined && before !== link && !before.memory.isOver) {
      kept = added(kept, before.usage);
      before.usage = undefined;
    }
    const isForStorage = belongsIntoStorage(kept, nowMs);
    if (isForStorage) this.#store(kept);
    link.usage = isForStorage ? undefined : kept;
  }

  /** Stores all counts, since the attachments of all links are about to end. @param links all links of the realm */
  keepAll(links: Iterable<SocketLink>): void {
    for (const link of links) {
      this.counters.takeBack(link.usage);
      link.usage = undefined;
    }
    this.keep();
  }

  /** What the realm has used. @param links all links of the realm */
  report(links: Iterable<SocketLink>): Omit<Usage, "unclosed"> {
    const nowMs = Date.now();
    let all = added(this.counters.sums(nowMs), this.#kept);
    for (const { usage } of links) if (usage !== undefined) all = added(usage, all);
    return usageOf(all, nowMs);
  }

  get #kept(): KeptSums {
    return (this.#stored ??= this.#storage.kv.get<KeptSums>(key) ?? []);
  }

  #store(sums: KeptSums): void {
    this.#stored = added(sums, this.#kept);
    this.#storedAtMs = Date.now();
    // Unconfirmed: the object's messages would wait for a confirmed write. The next write repeats one that failed.
    this.#storage.put(key, this.#stored, { allowUnconfirmed: true }).catch((error: unknown) => {
      console.warn("Cannot store what the realm has used", error);
    });
  }
}
