import { limits, ProtocolError, routerLimits } from "@messagepasser/protocol";
import type { Access } from "./access.ts";
import type { CrossingItem, presenceChanges, StrangerThere } from "./crossing-item.ts";
import type { Delivery } from "./delivery.ts";
import type { Link, Links } from "./link.ts";
import type { Account } from "./principals.ts";
import { type RemotePresence, rosterPage, seenOf } from "./remote-presence.ts";
import { Roster } from "./roster.ts";
import type { Rules } from "./rules.ts";
import { keyOf, type Seen, Watch, type WatchStart } from "./watcher.ts";
import { isDone, isWatched, keep, mostChangesOf, newWatcher, unfinished, type Watcher } from "./watching-link.ts";

/** What telling watchers needs. */
interface PresenceStart {
  readonly links: Links;
  readonly access: Access;
  readonly delivery: Delivery;
  /** The sessions of other shards. */
  readonly remote: RemotePresence;
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls back later, and carries out then what delivery finds. */
  after(delayMs: number, callback: () => void): void;
}

/**
 * Tells watchers which sessions there are, and what changes: at once where a watcher was told nothing for a second, else at
 * the end of that second, together with everything else. What was told isn't remembered, so an idle watch costs nothing, and
 * outlives a hibernation in its link. To a client that reads slowly only as much is sent as it reads.
 */
export class Presence {
  readonly #start: PresenceStart;
  /** All links that watch; `undefined` after a wake until they are needed. */
  #watchers: Map<Link, Watcher> | undefined;
  /** Addresses that are noted in storage: after a wake, only these links may be watching. */
  #noted: ReadonlySet<number> = new Set();
  #isNoting = false;
  /** Watchers that are told before the event is over. */
  readonly #urgent = new Set<Watcher>();
  /** Watchers that are told later, and when, in milliseconds since 1970. */
  readonly #later = new Map<Watcher, number>();
  /** Sessions of which watchers are told later, since those of their clients come or change too often. */
  readonly #late = new Set<Link>();
  /** When the timer goes off, in milliseconds since 1970. */
  #timerAtMs = Infinity;
  readonly #roster: Roster;

  constructor(start: PresenceStart) {
    this.#start = start;
    this.#roster = new Roster(start.links);
  }

  /**
   * A client watches a pattern from now on.
   *
   * @returns how many links there are; `undefined` if all links of the client have too many watches
   * @throws ProtocolError for one watch too many on this link
   */
  watch(link: Link, start: WatchStart, position?: number): number | undefined {
    const watcher = this.#all.get(link) ?? newWatcher(link, []);
    this.#stop(watcher, start.request);
    if (watcher.watches.length === limits.maxWatches)
      throw new ProtocolError(`More than ${limits.maxWatches} watches: the last ends`, position);
    const { account } = this.#start.delivery.meterOf(link);
    if (account.watches === routerLimits.maxWatchesOfClient) return undefined;
    account.watches++;
    watcher.watches.push(this.#newWatch(start, true, account));
    this.#all.set(link, watcher);
    this.#subscribe();
    keep(watcher);
    this.#noteSoon(link);
    this.#urgent.add(watcher);
    return this.#roster.all.length;
  }

  unwatch(link: Link, request: number): void {
    if (link.watches === undefined) return;
    const watcher = this.#all.get(link);
    if (watcher === undefined) return;
    this.#stop(watcher, request);
    if (watcher.watches.length === 0) this.#forget(watcher);
    keep(watcher);
    this.#subscribe();
  }

  #newWatch(start: WatchStart, isNew: boolean, account: Account): Watch {
    const shards = this.#start.remote.shardsOf(start.pattern);
    return new Watch(start, isNew, { mostChanges: () => mostChangesOf(account), shards });
  }

  /** Tells other shards what to tell of. */
  #subscribe(): void {
    this.#start.remote.subscribe(
      Array.from(this.#all.values(), ({ watches }) => watches.map(({ pattern: { source } }) => source)).flat(),
    );
  }

  joined(link: Link): void {
    this.#roster.joined(link);
    // A client says what it serves right after its welcome: the two are told together.
    const isWhole = link.services !== undefined || link.format.addressing === "name";
    if (!this.#mayTellOf(link)) return;
    this.#start.remote.changed("joined", link);
    this.#note(
      link,
      (watch, key) => {
        watch.joined(link, key);
      },
      isWhole,
    );
  }

  /** A session serves something else. */
  changed(link: Link): void {
    if (this.#mayTellOf(link)) this.#noteChanged(link);
  }

  #noteChanged(link: Link): void {
    this.#start.remote.changed("changed", link);
    this.#note(link, (watch, key) => {
      watch.changed(link, key);
    });
  }

  /** Whether watchers may be told of a session now. If not, they are told later how it is by then. */
  #mayTellOf(link: Link): boolean {
    if (!this.#hasWatchers || this.#late.has(link)) return false;
    const nowMs = this.#start.now();
    if (this.#start.delivery.meterOf(link).account.changes.take(nowMs)) return true;
    this.#late.add(link);
    this.#wakeAt(nowMs + routerLimits.tellEveryMs);
    return false;
  }

  /** Whether clients watch anything, here or on other shards. */
  get #hasWatchers(): boolean {
    return this.#all.size > 0 || this.#start.remote.isSubscribed;
  }

  /** A link is over: its client watches nothing more. */
  left(link: Link): void {
    const watcher = this.#all.get(link);
    if (watcher !== undefined) {
      this.#start.delivery.meterOf(link).account.watches -= watcher.watches.length;
      this.#forget(watcher);
      this.#subscribe();
    }
    this.#start.remote.changed("left", link);
    this.#roster.left();
    this.#late.delete(link);
    this.#note(link, (watch, key) => {
      watch.left(link, key);
    });
  }

  /** A session of another shard has come, serves something else, or has left. */
  remoteChanged(change: (typeof presenceChanges)[number], there: StrangerThere): void {
    const session = seenOf(there);
    if (!isWatched(session.name, this.#all.values())) {
      // Before this object slept, somebody watched it.
      this.#start.remote.correct(session.address);
      this.#subscribe();
    }
    // What a session serves comes right after it, as with those of this shard.
    const isWhole = change !== "joined" || !there.services.includes("*");
    this.#note(
      session,
      (watch, key) => {
        watch[change](session, key);
      },
      isWhole,
    );
  }

  /** The next sessions of this shard for a watcher of another one. */
  roster(page: Parameters<typeof rosterPage>[1]): ReturnType<typeof rosterPage> {
    return rosterPage(this.#roster.all, page);
  }

  /** Sessions of another shard, as a watcher has asked for them. */
  rosterCame({ to, request, next, sessions }: Extract<CrossingItem, { kind: "sessions" }>): void {
    const link = this.#start.links.byAddress(to);
    const watcher = link && this.#all.get(link);
    if (watcher === undefined) return;
    const { access } = this.#start;
    const seen = sessions.map(seenOf).filter((session) => access.sightOf(watcher.link, session) !== "nothing");
    for (const watch of watcher.watches) watch.pageCame(request, seen, next);
    if (!watcher.isBlocked) this.#urgent.add(watcher);
  }

  /** The realm has more shards than before, which have taken over names of others. */
  grown(): void {
    if (this.#all.size === 0) return;
    this.#subscribe();
    for (const watcher of this.#all.values()) {
      for (const watch of watcher.watches) watch.grown(this.#start.remote.shardsOf(watch.pattern.source));
      this.#tellSoon(watcher);
    }
  }

  /** What another shard has told may have changed. */
  shardLost(shard: number): void {
    const { remote } = this.#start;
    remote.forget(shard);
    if (this.#all.size === 0) return;
    this.#subscribe();
    for (const watcher of this.#all.values()) this.#tellAgain(watcher, shard);
  }

  /** @param shard which the watches concern. Default: all watches */
  #tellAgain(watcher: Watcher, shard?: number): void {
    for (const watch of watcher.watches) if (shard === undefined || watch.concerns(shard)) watch.restart();
    this.#tellSoon(watcher);
  }

  #tellSoon(watcher: Watcher): void {
    if (!isDone(watcher)) this.#tellLater(watcher, this.#start.now() + routerLimits.tellEveryMs);
  }

  /** Tells watchers which clients they see by new rules, and which they no longer see. @param before the rules until now */
  rulesChanged(before: Rules): void {
    const { access, remote } = this.#start;
    for (const watcher of this.#all.values()) {
      if (remote.hasOthers) {
        this.#tellAgain(watcher);
        continue;
      }
      for (const other of this.#roster.all) {
        const [sight, sightBefore] = [access.sightOf(watcher.link, other), access.sightOf(watcher.link, other, before)];
        if (sight === sightBefore || other.memory.isOver) continue;
        for (const watch of watcher.watches) {
          if (!watch.pattern.fits(other.name)) continue;
          if (sight === "nothing") watch.left(other, keyOf(other));
          else if (sightBefore === "nothing") watch.joined(other, keyOf(other));
          else watch.changed(other, keyOf(other));
        }
      }
      if (!isDone(watcher)) this.#schedule(watcher);
    }
  }

  /** A client has read what it was sent. */
  reached(link: Link): void {
    if (link.watches === undefined) return;
    const watcher = this.#all.get(link);
    if (watcher === undefined) return;
    watcher.unansweredBytes = 0;
    if (!watcher.isBlocked) return;
    watcher.isBlocked = false;
    this.#urgent.add(watcher);
  }

  /** Tells the urgent watchers, or as many as may be told at once. @returns whether there were any: delivery may have given links up */
  flush(): boolean {
    if (this.#urgent.size === 0) return false;
    let bytes = 0;
    for (const watcher of this.#urgent) {
      // Other events have their turn before the rest.
      if (bytes > routerLimits.toldAtOnceBytes) break;
      this.#urgent.delete(watcher);
      bytes += this.#tell(watcher);
    }
    if (this.#urgent.size > 0) this.#wakeAt(this.#start.now());
    else if (Array.from(this.#all.values()).every(isDone)) this.#roster.forget();
    return true;
  }

  /** Notes a new watcher a second later, unless it is gone by then: most watches are short, and each note costs a row in storage. */
  #noteSoon({ address }: Link): void {
    if (this.#isNoting || this.#noted.has(address)) return;
    this.#isNoting = true;
    this.#start.after(routerLimits.tellEveryMs, () => {
      this.#isNoting = false;
      const addresses = Array.from(this.#all.keys(), (link) => link.address);
      if (addresses.every((each) => this.#noted.has(each))) return;
      this.#start.links.noteWatching(addresses);
      this.#noted = new Set(addresses);
    });
  }

  get #all(): Map<Link, Watcher> {
    return (this.#watchers ??= this.#restored());
  }

  #restored(): Map<Link, Watcher> {
    const watchers = new Map<Link, Watcher>();
    const noted = new Set<number>();
    for (const link of this.#start.links.watching()) {
      const { watches = [], isBehind = false } = link.watches ?? {};
      const { account } = this.#start.delivery.meterOf(link);
      const watcher = newWatcher(
        link,
        watches.map((watch) => this.#newWatch(watch, isBehind, account)),
      );
      account.watches += watches.length;
      watchers.set(link, watcher);
      noted.add(link.address);
      if (isBehind) this.#urgent.add(watcher);
    }
    this.#noted = noted;
    return watchers;
  }

  /** Notes a change for watchers that see the link. */
  #note(link: Seen, change: (watch: Watch, key: string) => void, isWhole = true): void {
    const key = keyOf(link);
    for (const watcher of this.#all.values()) {
      const watches = watcher.watches.filter(({ pattern }) => pattern.fits(link.name));
      if (watches.length === 0 || this.#start.access.sightOf(watcher.link, link) === "nothing") continue;
      for (const watch of watches) change(watch, key);
      if (!isDone(watcher)) this.#schedule(watcher, isWhole);
    }
  }

  /** @param isWhole whether the change can be told now: a new session is told with what it serves, which comes later */
  #schedule(watcher: Watcher, isWhole = true): void {
    if (watcher.isBlocked) return;
    const nowMs = this.#start.now();
    const dueMs = watcher.toldAtMs + routerLimits.tellEveryMs;
    if (!isWhole) this.#tellLater(watcher, nowMs + routerLimits.tellEveryMs);
    else if (nowMs < dueMs) this.#tellLater(watcher, dueMs);
    else {
      this.#later.delete(watcher);
      this.#urgent.add(watcher);
    }
  }

  #tellLater(watcher: Watcher, dueMs: number): void {
    this.#later.set(watcher, Math.min(dueMs, this.#later.get(watcher) ?? Infinity));
    this.#wakeAt(dueMs);
  }

  #wakeAt(dueMs: number): void {
    if (this.#timerAtMs <= dueMs) return;
    this.#timerAtMs = dueMs;
    this.#start.after(Math.max(0, dueMs - this.#start.now()), () => {
      this.#wake(dueMs);
    });
  }

  #wake(timerAtMs: number): void {
    if (this.#timerAtMs === timerAtMs) this.#timerAtMs = Infinity;
    const nowMs = this.#start.now();
    let nextMs = Infinity;
    for (const [watcher, dueMs] of this.#later) {
      if (dueMs > nowMs) nextMs = Math.min(nextMs, dueMs);
      else {
        this.#later.delete(watcher);
        this.#urgent.add(watcher);
      }
    }
    for (const link of this.#late) {
      if (this.#hasWatchers && !this.#start.delivery.meterOf(link).account.changes.take(nowMs)) continue;
      this.#late.delete(link);
      this.#noteChanged(link);
    }
    if (this.#late.size > 0) nextMs = Math.min(nextMs, nowMs + routerLimits.tellEveryMs);
    this.flush();
    if (nextMs < Infinity) this.#wakeAt(nextMs);
  }

  /** Tells a watcher what it has to be told, as far as its client reads. @returns how many bytes that took */
  #tell(watcher: Watcher): number {
    const { link } = watcher;
    const { delivery, access } = this.#start;
    const meter = delivery.meterOf(link);
    let bytes = 0;
    watcher.toldAtMs = this.#start.now();
    for (let watch = unfinished(watcher); watch !== undefined; watch = unfinished(watcher)) {
      if (meter.marks.length === 0) watcher.unansweredBytes = 0;
      if (!delivery.unread.admits(meter, limits.maxBatchBytes) || watcher.unansweredBytes > routerLimits.toldBytes) {
        // Without a mark under way no answer will come: other clients hold the memory that there is.
        if (meter.marks.length > 0) watcher.isBlocked = true;
        else this.#tellLater(watcher, watcher.toldAtMs + routerLimits.tellEveryMs);
        break;
      }
      const frames = watch.take(routerLimits.toldBytes, this.#roster.all, (other) => access.sightOf(link, other));
      const toldBytes = delivery.say(link, ...frames);
      if (link.memory.isOver) break;
      watcher.unansweredBytes += toldBytes;
      bytes += toldBytes;
    }
    this.#askOn(watcher);
    keep(watcher);
    return bytes;
  }

  /** Asks other shards for what is still to be told. */
  #askOn(watcher: Watcher): void {
    for (const watch of watcher.watches) {
      const page = watch.nextPage;
      if (page === undefined) continue;
      const number = this.#start.remote.ask(watcher.link, page, watch.pattern.source);
      if (number === undefined) this.#tellLater(watcher, this.#start.now() + routerLimits.tellEveryMs);
      else watch.asked(number);
    }
  }

  #stop(watcher: Watcher, request: number): void {
    const at = watcher.watches.findIndex((watch) => watch.request === request);
    if (at === -1) return;
    watcher.watches.splice(at, 1);
    this.#start.delivery.meterOf(watcher.link).account.watches--;
  }

  #forget(watcher: Watcher): void {
    this.#all.delete(watcher.link);
    this.#urgent.delete(watcher);
    this.#later.delete(watcher);
  }
}
