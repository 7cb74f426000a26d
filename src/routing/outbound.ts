import {
  goneReasons,
  type PeerFrame,
  routerLimits,
  type RouterFrame,
  type SegmentReader,
} from "@messagepasser/protocol";
import { native } from "@messagepasser/protocol/formats";
import type { Access } from "./access.ts";
import type { CrossingItem, PairedStranger, Question, Stranger } from "./crossing-item.ts";
import type { Delivery } from "./delivery.ts";
import { batchOf } from "./encoding.ts";
import type { Link, Links } from "./link.ts";
import type { OtherShards } from "./other-shards.ts";
import type { Account } from "./principals.ts";
import { patternOf } from "./pattern.ts";
import { RemoteLink } from "./remote-link.ts";

/**
 * What goes to other shards, and the pairs with their links. Each of two shards lists a pair in its own link only, and both
 * check it for every segment.
 */
export class Outbound {
  readonly #links: Links;
  readonly #delivery: Delivery;
  readonly #others: OtherShards;
  /** Links of other shards by address, as far as they were heard of since the object woke; the latest are last. */
  readonly #known = new Map<number, RemoteLink>();

  constructor(links: Links, delivery: Delivery, others: OtherShards) {
    this.#links = links;
    this.#delivery = delivery;
    this.#others = others;
  }

  /** The shard of a name's links; `undefined` if it is this one. */
  homeOf(name: string): number | undefined {
    return this.#others.homeOf(name);
  }

  /** The shard of a link, by its address; `undefined` if it is this one. */
  shardOf(address: number): number | undefined {
    return this.#others.shardOf(address);
  }

  /** Asks a shard. @returns false if it can't be asked now */
  ask(shard: number, question: Question): boolean {
    return this.#others.tell(shard, question);
  }

  /** Asks all shards. @returns false if one of them can't be asked now */
  askAll(question: Question): boolean {
    return this.#others.all.every((shard) => this.#others.tell(shard, question));
  }

  get shardCount(): number {
    return this.#others.all.length + 1;
  }

  /** Sends what waits. */
  flush(): void {
    this.#others.flush();
  }

  /** Forwards a segment to another shard; false if its address is of no link there that the sender is paired with. */
  segment(from: Link, { address, bytes, headerStart, start, end }: SegmentReader): boolean {
    if (!from.pairs.has(address)) return false;
    if (start < end && !this.#tell(address, { kind: "segment", who: from, bytes: heldPart(bytes, headerStart, end) }))
      this.#cutFrom(from, address);
    return true;
  }

  /** Sends frames of a by-name client to a link of another shard that it is paired with. */
  frames(from: Link, to: number, frames: readonly PeerFrame[]): void {
    const bytes = batchOf(native, to, frames);
    if (!this.#tell(to, { kind: "segment", who: from, bytes })) this.#cutFrom(from, to);
  }

  /** Sends a frame to a link of another shard. @param who the link of this shard with which it is paired from now on */
  say(to: number, frame: RouterFrame, who?: PairedStranger): void {
    if (who !== undefined) this.#others.paired();
    this.#tell(to, { kind: "say", to, frame, who });
  }

  /** Ends the link of another shard that sent a segment which breaks a rule. */
  fault(to: number, problem: string): void {
    this.#tell(to, { kind: "fault", to, problem });
  }

  /** Tells a link of another shard that a link of this one is gone, or never was there. */
  gone(to: number, address: number, reason: number = goneReasons.lost): void {
    this.#tell(to, { kind: "gone", address, reason, to: [to] });
  }

  /**
   * Pairs a link with one of another shard, which lists the pair already.
   *
   * @param call what the client calls the other one; `undefined` unless its format is by-name
   * @returns false if there is no room, or one of the two has another call: then the pair ends at both ends
   */
  pair(link: Link, { link: who, callsByLabel }: PairedStranger, call: string | undefined): boolean {
    const { address } = who;
    const { pairs } = link;
    // The two opened at the same time, and each shard gave a name to another session.
    const isAmbiguous =
      call !== undefined &&
      ((pairs.addressOf(call) ?? address) !== address || (pairs.has(address) && pairs.callOf(address) !== call));
    if (isAmbiguous || !pairs.add(address, { hasLabel: callsByLabel, call })) {
      if (pairs.has(address)) this.#unpair(link, address);
      this.gone(address, link.address);
      return false;
    }
    this.know(who);
    this.#others.paired();
    return true;
  }

  /** Finds out whether the links are still there that links of this shard are paired with. */
  check(): void {
    for (const shard of this.pairedShards()) this.#others.check(shard);
  }

  /** The shards with whose links those of this one are paired. Slow. */
  pairedShards(): ReadonlySet<number> {
    const shards = new Set<number>();
    if (this.shardCount === 1) return shards;
    for (const link of this.#links.all())
      for (const address of link.pairs) {
        const shard = this.#others.shardOf(address);
        if (shard !== undefined) shards.add(shard);
      }
    return shards;
  }

  /** A link of this shard is over: tells those of other shards that it was paired with. @returns their addresses */
  left({ address, pairs }: Link, reason: number): number[] {
    const all: number[] = [];
    const byShard = new Map<number, number[]>();
    for (const to of pairs) {
      const shard = this.#others.shardOf(to);
      if (shard === undefined) continue;
      all.push(to);
      const told = byShard.get(shard);
      if (told === undefined) byShard.set(shard, [to]);
      else told.push(to);
    }
    for (const [shard, to] of byShard) this.#others.tell(shard, { kind: "gone", address, reason, to });
    return all;
  }

  /** Applies new rules to the pairs of a link with links of other shards, whose homes do the same. @param changeFor see `Access` */
  changeRules(link: Link, changeFor: (remote: RemoteLink) => ReturnType<Access["changeFor"]>): void {
    for (const address of link.pairs) {
      if (this.#others.shardOf(address) === undefined) continue;
      const remote = this.#known.get(address);
      const change = remote && changeFor(remote);
      // What the other end may do isn't known here since this object slept: the two resume, which checks them again.
      if (change === undefined) this.#cutFrom(link, address);
      else if (change === "end") this.#cutFrom(link, address, goneReasons.forbidden);
      else if (change === "check" && link.format.addressing === "address")
        this.#delivery.say(link, { kind: "rulesChanged", address });
    }
  }

  /** Ends a pair with a link of another shard at both ends. @param reason one of `goneReasons`. Default: the pair can come again */
  #cutFrom(link: Link, address: number, reason: number = goneReasons.lost): void {
    // A trunk that broke has ended it.
    if (!link.pairs.has(address)) return;
    this.#unpair(link, address, reason);
    this.gone(address, link.address, reason);
  }

  /** Ends the pairs of a link with the links of a principal that has flooded it. */
  cutPayer(link: Link, payer: Account): void {
    const { account } = this.#delivery.meterOf(link);
    for (const address of link.pairs) {
      const remote = this.#known.get(address);
      if (remote !== undefined && this.#delivery.meterOf(remote).account.payerTo(account) === payer)
        this.#cutFrom(link, address);
    }
  }

  /** Ends all pairs with the links of a shard, which has ended them too. It says anew what it wants to be told. */
  broken(shard: number): void {
    this.#others.noteSubscribed(shard, []);
    for (const link of this.#links.all())
      for (const address of link.pairs) if (this.#others.shardOf(address) === shard) this.#unpair(link, address);
    for (const address of this.#known.keys()) if (this.#others.shardOf(address) === shard) this.#known.delete(address);
  }

  #unpair(link: Link, address: number, reason: number = goneReasons.lost): void {
    this.#delivery.sayGone(link, { address }, reason);
    link.pairs.remove(address);
  }

  /** A link of another shard, which has been heard of. */
  know(who: Stranger): RemoteLink {
    let remote = this.#known.get(who.address);
    if (remote?.session !== who.session) {
      remote = new RemoteLink(who, this.#delivery.principals.of(who));
      if (this.#known.size >= routerLimits.maxKnownStrangers) this.#forgetFirst();
    }
    // The latest is last.
    this.#known.delete(who.address);
    this.#known.set(who.address, remote);
    return remote;
  }

  #forgetFirst(): void {
    const [first] = this.#known.keys();
    if (first !== undefined) this.#known.delete(first);
  }

  /** The link at an address of another shard that a link is paired with. Where it was forgotten, the pair ends: the two resume. */
  peerOf(link: Link, address: number): RemoteLink | undefined {
    const known = this.#known.get(address);
    if (known === undefined && this.#others.shardOf(address) !== undefined) this.#cutFrom(link, address);
    return known;
  }

  /** A shard wants to be told of names that fit these patterns. */
  subscribe(shard: number, patterns: readonly string[]): void {
    this.#others.noteSubscribed(shard, patterns);
  }

  /** Whether a shard wants to be told of any names. */
  get isSubscribed(): boolean {
    return this.#others.all.some((shard) => this.#others.subscribed(shard).length > 0);
  }

  /** The shards that want to be told of a name. */
  subscribersOf(name: string): number[] {
    return this.#others.all.filter((shard) =>
      this.#others.subscribed(shard).some((pattern) => patternOf(pattern).fits(name)),
    );
  }

  /** Answers what sessions there are. */
  sessions(answer: Omit<Extract<CrossingItem, { kind: "sessions" }>, "kind">): void {
    this.#tell(answer.to, { kind: "sessions", ...answer });
  }

  /** The other shards that may have names which fit a pattern. */
  shardsOf(pattern: string): readonly number[] {
    return this.#others.homesOf(pattern);
  }

  tell(shard: number, item: CrossingItem): boolean {
    return this.#others.tell(shard, item);
  }

  /** @returns false if the item was dropped */
  #tell(address: number, item: CrossingItem): boolean {
    const shard = this.#others.shardOf(address);
    return shard !== undefined && this.#others.tell(shard, item);
  }
}

/** A part of a message that waits. A copy where the message is much larger, since all of it would stay in memory. */
function heldPart(message: Uint8Array, start: number, end: number): Uint8Array {
  return 4 * (end - start) < 3 * message.length ? message.slice(start, end) : message.subarray(start, end);
}
