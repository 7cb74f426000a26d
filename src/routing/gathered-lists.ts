import { limits, type RouterFrameOf } from "@messagepasser/protocol";
import type { Delivery } from "./delivery.ts";
import type { Link, Links } from "./link.ts";
import type { Outbound } from "./outbound.ts";

/** A list that a client waits for. */
interface Gathered {
  readonly names: Set<string>;
  /** Whether a shard has more names than it has told. */
  hasMore: boolean;
  /** How many shards have not answered. */
  missing: number;
}

/** Lists of a realm of several shards: a page is what all of them have, in one order. */
export class GatheredLists {
  readonly #links: Links;
  readonly #delivery: Delivery;
  readonly #outbound: Outbound;
  readonly #lists = new Map<string, Gathered>();

  constructor(links: Links, delivery: Delivery, outbound: Outbound) {
    this.#links = links;
    this.#delivery = delivery;
    this.#outbound = outbound;
  }

  /** Asks all other shards, if there are any. @param own this shard's page. @returns false if one of them can't be asked now */
  begin(from: Link, frame: RouterFrameOf<"list">, own: RouterFrameOf<"peers">): boolean {
    const missing = this.#outbound.shardCount - 1;
    if (missing === 0) {
      this.#delivery.say(from, own);
      return true;
    }
    const list: Gathered = { names: new Set(own.names), hasMore: own.cursor !== "", missing };
    this.#lists.set(keyOf(from.address, frame), list);
    const isAsked = this.#outbound.askAll({ kind: "list", who: from, frame });
    if (!isAsked) this.forget(from.address, frame);
    return isAsked;
  }

  /** Another shard's page. Answers the client once it is the last. */
  answered(to: number, page: RouterFrameOf<"peers">): void {
    const key = keyOf(to, page);
    const list = this.#lists.get(key);
    if (list === undefined) return;
    for (const name of page.names) list.names.add(name);
    list.hasMore ||= page.cursor !== "";
    if (--list.missing > 0) return;
    this.#lists.delete(key);
    const link = this.#links.byAddress(to);
    if (link !== undefined) this.#delivery.say(link, pageOf(page.request, list.names, list.hasMore));
  }

  /** No answer comes any more. */
  forget(to: number, frame: RouterFrameOf<"list">): void {
    this.#lists.delete(keyOf(to, frame));
  }
}

/** The first names of a list, in the order of their code units, as the answer to a `list` frame. */
export function pageOf(request: number, found: ReadonlySet<string>, hasMore = false): RouterFrameOf<"peers"> {
  const names = Array.from(found).sort((left, right) => (left < right ? -1 : 1));
  const page = names.slice(0, limits.maxPageLength);
  const last = hasMore || names.length > page.length ? page.at(-1) : undefined;
  return { kind: "peers", request, cursor: last ?? "", names: page };
}

function keyOf(address: number, { request }: { readonly request: number }): string {
  return `${address} ${request}`;
}
