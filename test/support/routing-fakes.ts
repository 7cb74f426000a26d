// The pure router's platform in tests: links that keep what they are sent, and a clock that stands still.
import { labelOf, limits } from "@messagepasser/protocol";
import { type Format, native, type WireMessage } from "@messagepasser/protocol/formats";
import { expect } from "vitest";
import {
  type Grant,
  type KeptWatches,
  type Link,
  LinkMemory,
  type Links,
  linksAt,
  type PairEntry,
  type Pairs,
  type TokenGrant,
} from "../../src/routing/link.ts";
import type { OtherShards } from "../../src/routing/other-shards.ts";
import { Routing, type Runtime } from "../../src/routing/routing.ts";
import type { Services } from "../../src/routing/services.ts";
import { Rules } from "../../src/routing/rules.ts";
import { batchOf, openTo, toRouter } from "./batches.ts";
import { type SegmentItem, segmentReading } from "./readings.ts";

class FakePairs implements Pairs {
  readonly #addresses = new Map<number, PairEntry>();
  readonly #capacity: number;
  overflowed = false;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  [Symbol.iterator](): Iterator<number> {
    return this.#addresses.keys();
  }

  get isFull(): boolean {
    return this.#addresses.size >= this.#capacity;
  }

  has(address: number): boolean {
    return this.#addresses.has(address);
  }

  hasLabel(address: number): boolean {
    return this.#addresses.get(address)?.hasLabel === true;
  }

  callOf(address: number): string | undefined {
    return this.#addresses.get(address)?.call;
  }

  addressOf(call: string): number | undefined {
    for (const [address, entry] of this.#addresses) if (entry.call === call) return address;
    return undefined;
  }

  hasRoomFor(): boolean {
    return !this.isFull;
  }

  add(address: number, entry: PairEntry = {}): boolean {
    if (this.#addresses.has(address)) return true;
    if (this.isFull) return false;
    this.#addresses.set(address, entry);
    return true;
  }

  remove(address: number): void {
    this.#addresses.delete(address);
  }

  overflow(): void {
    if (this.#capacity === Infinity) throw new Error("A list without a bound has room for any pair");
    this.overflowed = true;
  }
}

export interface FakeLinkOptions {
  readonly session?: string;
  readonly instance?: string;
  readonly services?: Services | undefined;
  readonly resumes?: boolean;
  readonly grant?: Grant;
  readonly token?: TokenGrant;
  /** Default: native. */
  readonly format?: Format;
  /** How many pairs fit its list. */
  readonly capacity?: number;
  readonly lastHeardMs?: number;
}

type Mark = Extract<SegmentItem, { kind: "mark" }>;

export class FakeLink implements Link {
  readonly address: number;
  readonly name: string;
  readonly label: string;
  readonly session: string;
  readonly instance: string;
  sinceMs: number;
  services: Services | undefined;
  readonly resumes: boolean;
  readonly format: Format;
  readonly grant: Grant | undefined;
  readonly token: TokenGrant | undefined;
  formatMemory = new Uint8Array();
  readonly pairs: FakePairs;
  memory = new LinkMemory();
  lastHeardMs: number;
  watches: KeptWatches | undefined;
  /** How the router ended it. */
  closed: { readonly code: number; readonly reason: string; readonly delayMs: number } | undefined;
  /** How many bytes it was sent. */
  sentBytes = 0;
  /** Messages as they were sent, until `take` or `marks` reads those of the native format. */
  readonly messages: WireMessage[] = [];
  readonly #marks: Mark[] = [];
  readonly #read: SegmentItem[][] = [];

  constructor(address: number, name: string, options: FakeLinkOptions = {}) {
    this.address = address;
    this.name = name;
    this.session = options.session ?? address.toString(16).padStart(32, "0");
    this.instance = options.instance ?? "";
    this.label = labelOf(name, this.instance);
    this.sinceMs = options.lastHeardMs ?? 0;
    this.services = options.services;
    this.resumes = options.resumes ?? true;
    this.format = options.format ?? native;
    this.grant = options.grant;
    this.token = options.token;
    this.pairs = new FakePairs(options.capacity ?? Infinity);
    this.lastHeardMs = options.lastHeardMs ?? 0;
  }

  send(message: WireMessage): void {
    if (this.closed !== undefined) throw new Error(`Sent to "${this.name}" after its close`);
    this.sentBytes += message.length;
    // A socket copies what it sends, and the router goes on writing into the batch.
    this.messages.push(message.slice());
  }

  close(code: number, reason: string, delayMs: number): void {
    if (this.closed !== undefined) throw new Error(`Closed "${this.name}" twice`);
    this.closed = { code, reason, delayMs };
  }

  /** Marks that it was sent, which aren't among what `take` gives. */
  get marks(): Mark[] {
    this.#readAll();
    return this.#marks;
  }

  /** Items that it was sent since the last call, without marks and the router's clock. */
  take(): SegmentItem[] {
    return this.takeMessages().flat();
  }

  /** The same, by the WebSocket messages that they came in. */
  takeMessages(): SegmentItem[][] {
    this.#readAll();
    return this.#read.splice(0);
  }

  #readAll(): void {
    if (this.format !== native) return;
    for (const message of this.messages.splice(0)) {
      const items = segmentReading.itemsIn(message);
      this.#marks.push(...items.filter((item) => item.kind === "mark"));
      const others = items.filter((item) => item.kind !== "mark");
      if (others.length > 0) this.#read.push(others);
    }
  }
}

export class FakeLinks implements Links {
  readonly #links = new Map<number, FakeLink>();
  readonly #capacity: number;
  #nextAddress: number;
  #watching: readonly number[] = [];
  /** How often the slow way was taken. */
  scans = 0;

  constructor(capacity = Infinity, firstAddress = 1) {
    this.#capacity = capacity;
    this.#nextAddress = firstAddress;
  }

  /** A link that isn't there yet. */
  make(name: string, options: FakeLinkOptions = {}): FakeLink {
    return new FakeLink(this.#nextAddress++, name, { capacity: this.#capacity, ...options });
  }

  /** A link that is there already, as after a wake. */
  join(name: string, options: FakeLinkOptions = {}): FakeLink {
    const link = this.make(name, options);
    this.add(link);
    return link;
  }

  add(link: FakeLink): void {
    this.#links.set(link.address, link);
  }

  remove(link: FakeLink): void {
    this.#links.delete(link.address);
  }

  byAddress(address: number): FakeLink | undefined {
    return this.#links.get(address);
  }

  named(name: string): FakeLink[] {
    return this.current().filter((link) => link.name === name);
  }

  all(): Iterable<FakeLink> {
    this.scans++;
    return this.#links.values();
  }

  watching(): FakeLink[] {
    return Array.from(linksAt(this, this.#watching)).filter(({ watches }) => watches !== undefined);
  }

  noteWatching(addresses: readonly number[]): void {
    this.#watching = addresses;
  }

  current(): FakeLink[] {
    return [...this.#links.values()];
  }
}

/** A clock that stands still, tokens that never repeat soon, and aborts that are only noted. */
export class FakeRuntime implements Runtime {
  nowMs = 1_000_000;
  readonly aborts: string[] = [];
  #token = 0;

  now(): number {
    return this.nowMs;
  }

  randomU32(): number {
    this.#token = (this.#token + 0x9e37_79b9) >>> 0;
    return this.#token;
  }

  currentRules = Rules.parse("");

  rules(): Rules {
    return this.currentRules;
  }

  /** Timers that were set and have not gone off. */
  readonly timers: { readonly atMs: number; readonly callback: () => void }[] = [];

  after(delayMs: number, callback: () => void): void {
    this.timers.push({ atMs: this.nowMs + delayMs, callback });
  }

  /** Lets time pass. Timers go off in their order. */
  pass(durationMs: number): void {
    const endMs = this.nowMs + durationMs;
    for (;;) {
      const next = this.timers.reduce<(typeof this.timers)[0] | undefined>(
        (first, timer) => (first === undefined || timer.atMs < first.atMs ? timer : first),
        undefined,
      );
      if (next === undefined || next.atMs > endMs) break;
      this.timers.splice(this.timers.indexOf(next), 1);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.callback();
    }
    this.nowMs = endMs;
  }

  abort(reason: string): void {
    this.aborts.push(reason);
  }
}

/** An invitation that doesn't expire. Its guest opens anything to anybody and serves nothing, unless said otherwise. */
export function grantOf(host: string, peer = "*", protocol = "*", serves: readonly string[] = []): Grant {
  return { host, peer, protocol, serves, expiresAtMs: Number.MAX_SAFE_INTEGER };
}

/** What a realm of one shard has of other shards. */
export const alone: OtherShards = {
  all: [],
  homeOf: () => undefined,
  homesOf: () => [],
  shardOf: () => undefined,
  tell: () => false,
  subscribed: () => [],
  noteSubscribed: () => undefined,
  paired: () => undefined,
  check: () => undefined,
  flush: () => undefined,
};

export interface FakeRealm {
  readonly links: FakeLinks;
  readonly routing: Routing;
  readonly runtime: FakeRuntime;
  /** Joins without a welcome. */
  join(name: string, options?: FakeLinkOptions): FakeLink;
  /** Opens and forgets what both heard of it. */
  pair(from: FakeLink, to: FakeLink): void;
  /** Answers all marks that a link got. */
  reach(link: FakeLink): void;
}

export function realmOf(pairCapacity?: number): FakeRealm {
  return realmWith(new FakeLinks(pairCapacity), new FakeRuntime());
}

/** The same realm after its object has slept: only what stands in the links is left. It can't sleep while a timer is set. */
export function sleep({ links, runtime }: FakeRealm): FakeRealm {
  expect(runtime.timers).toEqual([]);
  for (const link of links.current()) link.memory = new LinkMemory();
  return realmWith(links, runtime);
}

function realmWith(links: FakeLinks, runtime: FakeRuntime): FakeRealm {
  const routing = new Routing(links, "home", runtime, alone);
  return {
    links,
    routing,
    runtime,
    join: (name, options) => links.join(name, { lastHeardMs: runtime.nowMs, ...options }),
    pair(from, to) {
      routing.receive(from, toRouter(openTo(to.name)));
      expect(from.take().at(-1)).toMatchObject({ kind: "routed", address: to.address });
      to.take();
    },
    reach(link) {
      // Each answer may bring another mark.
      while (link.marks.length > 0) {
        const frames = link.marks.splice(0).map(({ token }) => ({ kind: "reached", token }) as const);
        routing.receive(link, toRouter(...frames));
      }
    },
  };
}

/** Clients that are paired with a link: enough to fill it without a flood of any of them. */
export function crowdOf(realm: FakeRealm, to: FakeLink): FakeLink[] {
  return Array.from({ length: 16 }, (_, at) => {
    const link = realm.join(`${at} of the crowd of ${to.name}`);
    realm.pair(link, to);
    return link;
  });
}

/** Sends chunks to a link, from each in turn, until it is dropped, or this many times. */
export function fill({ routing }: FakeRealm, to: FakeLink, from: readonly FakeLink[], times = Infinity): void {
  const chunk = new Uint8Array(limits.maxPayloadBytes);
  for (let count = 0; count < times && to.closed === undefined; count++) {
    const sender = from[Math.floor(to.sentBytes / chunk.length) % from.length];
    if (sender !== undefined) routing.receive(sender, batchOf([to.address, chunk]));
  }
}
