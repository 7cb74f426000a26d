import { type RouterFrame, routerLimits } from "@messagepasser/protocol";
import type { Sight } from "./access.ts";
import type { Link } from "./link.ts";
import { type Pattern, patternOf } from "./pattern.ts";
import { servedBy, type Serving } from "./rights.ts";

/** A session as watchers are told of it: a link of this shard, or a session of another one. */
export interface Seen extends Serving, Pick<Link, "name" | "session" | "instance" | "label" | "sinceMs" | "address"> {
  /** Whether it is of another shard: then its address is in no order with those here. */
  readonly isElsewhere?: boolean;
}

/** What a watch needs from another shard before its snapshot is complete. */
export interface Page {
  readonly shard: number;
  /** The address after which it begins. */
  readonly after: number;
  /** The most sessions in it. */
  readonly limit: number;
}

/** A session of which a watcher must be told. */
interface Change {
  readonly link: Seen;
  /** Whether the watcher does not know the session, so that it need not be told if the session leaves again. */
  readonly isNew: boolean;
  readonly hasLeft: boolean;
}

/** What a client watches. */
export interface WatchStart {
  readonly request: number;
  readonly pattern: string;
}

/** The client knows the whole realm. */
const everything = Infinity;

/** One pattern that a client watches, and what it has yet to be told. Several changes of one session become one. */
export class Watch {
  readonly request: number;
  readonly pattern: Pattern;
  /** The client knows all sessions of links up to this address: a snapshot tells the rest, in the order of addresses. */
  #toldUpTo: number;
  #hasBegun = false;
  /** The other shards that may have sessions which fit. */
  #shards: readonly number[];
  /** Those of them that have not told all their sessions, for a snapshot. */
  #untold: readonly number[] = [];
  #after = 0;
  /** The number by which the page was asked for that has not come. */
  #asked: number | undefined;
  #isComplete: boolean;
  readonly #changes = new Map<string, Change>();
  readonly #mostChanges: () => number;

  /**
   * @param isNew whether the client must be told everything
   * @param circumstances how many changes may wait until they are told, and the other shards that may have sessions which fit
   */
  constructor(
    { request, pattern }: WatchStart,
    isNew: boolean,
    { mostChanges, shards }: { readonly mostChanges: () => number; readonly shards: readonly number[] },
  ) {
    this.request = request;
    this.pattern = patternOf(pattern);
    this.#toldUpTo = isNew ? 0 : everything;
    this.#isComplete = !isNew;
    this.#mostChanges = mostChanges;
    this.#shards = shards;
    if (isNew) this.#untold = shards;
  }

  /** Whether there is nothing to tell until something happens. */
  get isDone(): boolean {
    const waits = this.#isComplete || this.#untold.length > 0;
    return this.#toldUpTo === everything && this.#changes.size === 0 && waits;
  }

  /** Whether a shard has not told all its sessions. */
  get waitsForShards(): boolean {
    return this.#untold.length > 0;
  }

  /** Whether a shard may have sessions which fit. */
  concerns(shard: number): boolean {
    return this.#shards.includes(shard);
  }

  /** The page that has to be asked for: once everything before it has been told. */
  get nextPage(): Page | undefined {
    const [shard] = this.#untold;
    if (shard === undefined || !this.isDone || this.#asked !== undefined) return undefined;
    // Changes that come meanwhile have room too.
    const limit = Math.max(1, Math.min(routerLimits.maxRosterPage, Math.floor(this.#mostChanges() / 2)));
    return { shard, after: this.#after, limit };
  }

  /** The page was asked for, by a number of its own. */
  asked(number: number): void {
    this.#asked = number;
  }

  /** A page has come, which may be another watch's. @param next after which address the next one begins; 0 if this was the last of its shard */
  pageCame(number: number, sessions: readonly Seen[], next: number): void {
    if (number !== this.#asked) return;
    this.#asked = undefined;
    this.#after = next;
    if (next === 0) this.#untold = this.#untold.slice(1);
    for (const session of sessions) if (this.pattern.fits(session.name)) this.joined(session, keyOf(session));
  }

  /** The realm has grown. @param shards the other shards that may have sessions which fit now */
  grown(shards: readonly number[]): void {
    if (shards.join() === this.#shards.join()) return;
    this.#shards = shards;
    this.restart();
  }

  /** Has everything told again, by a new snapshot. */
  restart(): void {
    this.#toldUpTo = 0;
    this.#hasBegun = false;
    this.#changes.clear();
    this.#untold = this.#shards;
    this.#after = 0;
    this.#asked = undefined;
    this.#isComplete = false;
  }

  /** @param key of the session, as `keyOf` gives it */
  joined(link: Seen, key: string): void {
    this.#note(key, { link, isNew: !this.#changes.has(key), hasLeft: false });
  }

  /** A session serves something else. */
  changed(link: Seen, key: string): void {
    this.#note(key, { link, isNew: this.#changes.get(key)?.isNew ?? false, hasLeft: false });
  }

  left(link: Seen, key: string): void {
    if (this.#changes.get(key)?.isNew === true) this.#changes.delete(key);
    else this.#note(key, { link, isNew: false, hasLeft: true });
  }

  #note(key: string, change: Change): void {
    // The snapshot has yet to reach this link.
    if (change.link.isElsewhere !== true && change.link.address > this.#toldUpTo) return;
    this.#changes.set(key, change);
    // A snapshot takes no memory, and changes do.
    if (this.#changes.size > this.#mostChanges()) this.restart();
  }

  /**
   * Takes the next frames for the client, of about this many bytes at most.
   *
   * @param roster all links, in the order of their addresses
   * @param sightOf what the client may know of a link
   */
  take(bytes: number, roster: readonly Link[], sightOf: (link: Seen) => Sight): RouterFrame[] {
    const { request } = this;
    const frames: RouterFrame[] = [];
    let left = bytes;
    for (const [key, { link, hasLeft }] of this.#changes) {
      if (left <= 0) return frames;
      this.#changes.delete(key);
      const { session, name } = link;
      if (hasLeft) frames.push({ kind: "left", request, session, name });
      else frames.push(presentIn(request, link, sightOf(link)));
      left -= costOf(link);
    }
    if (this.#isComplete) return frames;
    if (!this.#hasBegun) frames.push({ kind: "snapshot", request, complete: 0 });
    this.#hasBegun = true;
    for (
      let at = this.#toldUpTo === everything ? roster.length : firstAfter(roster, this.#toldUpTo);
      at < roster.length;
      at++
    ) {
      if (left <= 0) return frames;
      const link = roster[at];
      if (link === undefined) break;
      this.#toldUpTo = link.address;
      if (link.memory.isOver || !this.pattern.fits(link.name)) continue;
      const sight = sightOf(link);
      if (sight === "nothing") continue;
      frames.push(presentIn(request, link, sight));
      left -= costOf(link);
    }
    this.#toldUpTo = everything;
    if (this.#untold.length > 0) return frames;
    this.#isComplete = true;
    frames.push({ kind: "snapshot", request, complete: 1 });
    return frames;
  }
}

/** A session, whichever link it has. */
export function keyOf({ name, session }: Seen): string {
  // No name has a line feed.
  return `${session}\n${name}`;
}

function presentIn(request: number, link: Seen, sight: Sight): RouterFrame {
  const { session, name, instance, sinceMs } = link;
  const services = sight === "services" ? servedBy(link) : [];
  return { kind: "present", request, session, name, instance, sinceMs, services };
}

/** About how many bytes the frame of a session has. */
function costOf(link: Seen): number {
  return servedBy(link).reduce((sum, { length }) => sum + length, 64 + link.label.length);
}

/** Where the links after an address begin. */
function firstAfter(roster: readonly Link[], address: number): number {
  let [low, high] = [0, roster.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((roster[middle]?.address ?? Infinity) > address) high = middle;
    else low = middle + 1;
  }
  return low;
}
