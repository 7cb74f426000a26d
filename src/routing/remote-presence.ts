import { labelOf } from "@messagepasser/protocol";
import type { presenceChanges, StrangerThere } from "./crossing-item.ts";
import type { Link } from "./link.ts";
import type { Outbound } from "./outbound.ts";
import { patternOf } from "./pattern.ts";
import { servedBy } from "./rights.ts";
import type { Page, Seen } from "./watcher.ts";

/**
 * Presence across shards. A shard tells the others which patterns its clients watch, and they tell it what changes. It asks
 * them page by page for the sessions that are connected already, as fast as its clients read.
 */
export class RemotePresence {
  readonly #outbound: Outbound;
  /** What other shards were told since the object woke, by shard. */
  readonly #subscribed = new Map<number, string>();
  #pages = 0;

  constructor(outbound: Outbound) {
    this.#outbound = outbound;
  }

  /** The other shards that may have names which fit a pattern. */
  shardsOf(pattern: string): readonly number[] {
    return this.#outbound.shardsOf(pattern);
  }

  /** Clients of this shard watch these patterns, and no others. */
  subscribe(patterns: readonly string[]): void {
    const byShard = new Map<number, Set<string>>(Array.from(this.#subscribed.keys(), (shard) => [shard, new Set()]));
    for (const pattern of patterns)
      for (const shard of this.shardsOf(pattern)) {
        const known = byShard.get(shard);
        if (known === undefined) byShard.set(shard, new Set([pattern]));
        else known.add(pattern);
      }
    for (const [shard, wanted] of byShard) {
      const sorted = [...wanted].sort();
      const key = sorted.join("\n");
      if (this.#subscribed.get(shard) === key) continue;
      this.#subscribed.set(shard, key);
      this.#outbound.tell(shard, { kind: "subscribe", patterns: sorted });
    }
  }

  /** The shard of a link tells what nobody watches. */
  correct(address: number): void {
    const shard = this.#outbound.shardOf(address);
    // No patterns are these.
    if (shard !== undefined) this.#subscribed.set(shard, "\n");
  }

  /** Whether there are other shards. */
  get hasOthers(): boolean {
    return this.#outbound.shardCount > 1;
  }

  /** Whether clients of other shards watch anything. */
  get isSubscribed(): boolean {
    return this.#outbound.isSubscribed;
  }

  /** A shard has forgotten what it was told. */
  forget(shard: number): void {
    this.#subscribed.delete(shard);
  }

  /** A session of this shard has come, serves something else, or has left. */
  changed(change: (typeof presenceChanges)[number], link: Link): void {
    for (const shard of this.#outbound.subscribersOf(link.name)) {
      this.#outbound.tell(shard, { kind: "presence", change, session: thereOf(link) });
    }
  }

  /** Asks for a page. @returns the number by which it will come; `undefined` if the shard can't be asked now */
  ask(who: Link, { shard, after, limit }: Page, pattern: string): number | undefined {
    const request = ++this.#pages;
    return this.#outbound.tell(shard, { kind: "roster", who, frame: { request, pattern, after, limit } })
      ? request
      : undefined;
  }
}

/**
 * The next sessions of this shard for a watcher of another one, and after which address the rest comes; 0 if that is all.
 *
 * @param roster all links, in the order of their addresses
 */
export function rosterPage(
  roster: readonly Link[],
  { pattern, after, limit }: { readonly pattern: string; readonly after: number; readonly limit: number },
): { readonly sessions: StrangerThere[]; readonly next: number } {
  const { fits } = patternOf(pattern);
  const sessions: StrangerThere[] = [];
  for (const link of roster) {
    if (link.address <= after || link.memory.isOver || !fits(link.name)) continue;
    sessions.push(thereOf(link));
    if (sessions.length === limit) return { sessions, next: link.address };
  }
  return { sessions, next: 0 };
}

function thereOf(link: Link): StrangerThere {
  return { who: link, sinceMs: link.sinceMs, services: servedBy(link) };
}

/** A session of another shard, as watches take it. */
export function seenOf({ who, sinceMs, services }: StrangerThere): Seen {
  const { address, name, session, instance, grant, token } = who;
  const known = { address, name, session, instance, grant, token, label: labelOf(name, instance) };
  return {
    ...known,
    sinceMs,
    services: { alone: services, shared: [] },
    memory: { served: undefined },
    isElsewhere: true,
  };
}
