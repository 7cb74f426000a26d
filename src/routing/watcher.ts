import type { RouterFrame } from "@messagepasser/protocol";
import type { Sight } from "./access.ts";
import type { Link } from "./link.ts";
import { type Pattern, patternOf } from "./pattern.ts";
import { servedBy } from "./rights.ts";

/** A session of which a watcher must be told. */
interface Change {
  readonly link: Link;
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
  readonly #changes = new Map<string, Change>();
  readonly #mostChanges: () => number;

  /**
   * @param isNew whether the client must be told everything
   * @param mostChanges how many changes may wait until they are told
   */
  constructor({ request, pattern }: WatchStart, isNew: boolean, mostChanges: () => number) {
    this.request = request;
    this.pattern = patternOf(pattern);
    this.#toldUpTo = isNew ? 0 : everything;
    this.#mostChanges = mostChanges;
  }

  get isDone(): boolean {
    return this.#toldUpTo === everything && this.#changes.size === 0;
  }

  /** Has everything told again, by a new snapshot. */
  restart(): void {
    this.#toldUpTo = 0;
    this.#hasBegun = false;
    this.#changes.clear();
  }

  /** @param key of the session, as `keyOf` gives it */
  joined(link: Link, key: string): void {
    this.#note(key, { link, isNew: !this.#changes.has(key), hasLeft: false });
  }

  /** A session serves something else. */
  changed(link: Link, key: string): void {
    this.#note(key, { link, isNew: this.#changes.get(key)?.isNew ?? false, hasLeft: false });
  }

  left(link: Link, key: string): void {
    if (this.#changes.get(key)?.isNew === true) this.#changes.delete(key);
    else this.#note(key, { link, isNew: false, hasLeft: true });
  }

  #note(key: string, change: Change): void {
    // The snapshot has yet to reach this link.
    if (change.link.address > this.#toldUpTo) return;
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
  take(bytes: number, roster: readonly Link[], sightOf: (link: Link) => Sight): RouterFrame[] {
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
    if (this.#toldUpTo === everything) return frames;
    if (!this.#hasBegun) frames.push({ kind: "snapshot", request, complete: 0 });
    this.#hasBegun = true;
    for (let at = firstAfter(roster, this.#toldUpTo); at < roster.length; at++) {
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
    frames.push({ kind: "snapshot", request, complete: 1 });
    return frames;
  }
}

/** A session, whichever link it has. */
export function keyOf({ name, session }: Link): string {
  // No name has a line feed.
  return `${session}\n${name}`;
}

function presentIn(request: number, link: Link, sight: Sight): RouterFrame {
  const { session, name, instance, sinceMs } = link;
  const services = sight === "services" ? servedBy(link) : [];
  return { kind: "present", request, session, name, instance, sinceMs, services };
}

/** About how many bytes the frame of a session has. */
function costOf(link: Link): number {
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
