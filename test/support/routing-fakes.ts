import {
  anySession,
  type ControlFrame,
  encodeFrame,
  routerAddress,
  type RouterFrame,
  RouterFrameReader,
  SegmentReader,
  segmentHeaderBytes,
} from "@messagepasser/protocol";
import { type Format, native, type WireMessage } from "@messagepasser/protocol/formats";
import { expect } from "vitest";
import { type Grant, type Link, type Links, type Pairs, LinkMemory } from "../../src/routing/link.ts";
import { Rules } from "../../src/routing/rules.ts";
import { Routing, type Runtime } from "../../src/routing/routing.ts";

/** What a link got, segment by segment: the router's frames decoded, another client's bytes as they came. */
export type Heard = RouterFrame | { readonly from: number; readonly bytes: Uint8Array };

class FakePairs implements Pairs {
  readonly #addresses = new Set<number>();
  readonly #capacity: number;
  overflowed = false;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  [Symbol.iterator](): Iterator<number> {
    return this.#addresses.values();
  }

  get isFull(): boolean {
    return this.#addresses.size >= this.#capacity;
  }

  has(address: number): boolean {
    return this.#addresses.has(address);
  }

  add(address: number): boolean {
    if (!this.#addresses.has(address) && this.#addresses.size >= this.#capacity) return false;
    this.#addresses.add(address);
    return true;
  }

  remove(address: number): void {
    this.#addresses.delete(address);
  }

  overflow(): void {
    this.overflowed = true;
  }
}

export interface FakeLinkOptions {
  readonly session?: string;
  readonly resumes?: boolean;
  readonly grant?: Grant;
  /** Default: native. */
  readonly format?: Format;
  /** How many pairs fit its list. */
  readonly capacity?: number;
  readonly lastHeardMs?: number;
}

export type Mark = Extract<RouterFrame, { kind: "mark" }>;

export class FakeLink implements Link {
  readonly address: number;
  readonly name: string;
  readonly session: string;
  readonly resumes: boolean;
  readonly format: Format;
  readonly grant: Grant | undefined;
  formatMemory = new Uint8Array();
  readonly pairs: FakePairs;
  readonly memory = new LinkMemory();
  lastHeardMs: number;
  /** How the router ended it. */
  closed: { readonly code: number; readonly reason: string; readonly delayMs: number } | undefined;
  /** Marks that came, which `take` doesn't show. */
  readonly marks: Mark[] = [];
  /** All bytes that were sent to it. */
  sentBytes = 0;
  /** What came in another format than the native one. */
  readonly messages: WireMessage[] = [];
  #messages: Heard[][] = [];

  constructor(address: number, name: string, options: FakeLinkOptions = {}) {
    this.address = address;
    this.name = name;
    this.session = options.session ?? address.toString(16).padStart(32, "0");
    this.resumes = options.resumes ?? true;
    this.format = options.format ?? native;
    this.grant = options.grant;
    this.pairs = new FakePairs(options.capacity ?? Infinity);
    this.lastHeardMs = options.lastHeardMs ?? 0;
  }

  send(batch: WireMessage): void {
    if (this.closed !== undefined) throw new Error(`Sent to "${this.name}" after its close`);
    this.sentBytes += batch.length;
    if (this.format !== native || typeof batch === "string") {
      this.messages.push(batch);
      return;
    }
    // A socket copies what it sends, and the router goes on writing into the batch.
    const segments = new SegmentReader(batch.slice());
    const heard: Heard[] = [];
    while (segments.next()) {
      const bytes = segments.bytes.subarray(segments.start, segments.end);
      if (segments.address !== routerAddress) heard.push({ from: segments.address, bytes });
      else {
        for (const frame of routerFramesIn(bytes)) {
          if (frame.kind === "mark") this.marks.push(frame);
          else heard.push(frame);
        }
      }
    }
    if (heard.length > 0) this.#messages.push(heard);
  }

  close(code: number, reason: string, delayMs: number): void {
    if (this.closed !== undefined) throw new Error(`Closed "${this.name}" twice`);
    this.closed = { code, reason, delayMs };
  }

  /** What came since the last call. */
  take(): Heard[] {
    return this.takeMessages().flat();
  }

  /** The same, by the WebSocket messages that it came in. */
  takeMessages(): Heard[][] {
    const messages = this.#messages;
    this.#messages = [];
    return messages;
  }
}

export class FakeLinks implements Links {
  readonly #links = new Map<number, FakeLink>();
  readonly #capacity: number;
  #nextAddress = 1;
  /** How often the slow way was taken. */
  scans = 0;

  constructor(capacity = Infinity) {
    this.#capacity = capacity;
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

  get knownCount(): number {
    return this.#links.size;
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

  byName(name: string): FakeLink | undefined {
    return this.current().find((link) => link.name === name);
  }

  all(): Iterable<FakeLink> {
    this.scans++;
    return this.#links.values();
  }

  current(): FakeLink[] {
    return [...this.#links.values()];
  }
}

/** A clock that stands still, tokens that never repeat soon, and aborts that are only noted. */
export class FakeSurroundings implements Runtime {
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

  abort(reason: string): void {
    this.aborts.push(reason);
  }
}

export interface FakeRealm {
  readonly links: FakeLinks;
  readonly routing: Routing;
  readonly runtime: FakeSurroundings;
  /** Joins without a welcome. */
  join(name: string, options?: FakeLinkOptions): FakeLink;
  /** Opens and forgets what both heard of it. */
  pair(from: FakeLink, to: FakeLink): void;
  /** Answers all marks that a link got. */
  reach(link: FakeLink): void;
}

export function realmOf(pairCapacity?: number): FakeRealm {
  const links = new FakeLinks(pairCapacity);
  const runtime = new FakeSurroundings();
  const routing = new Routing(links, "home", runtime);
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

/** A batch of segments, each an address and the bytes in it. */
export function batchOf(...segments: readonly (readonly [address: number, bytes: Uint8Array])[]): Uint8Array {
  const batch = new Uint8Array(segments.reduce((sum, [, bytes]) => sum + segmentHeaderBytes + bytes.length, 0));
  const view = new DataView(batch.buffer);
  let at = 0;
  for (const [address, bytes] of segments) {
    view.setUint32(at, address);
    view.setUint32(at + 4, bytes.length);
    batch.set(bytes, at + segmentHeaderBytes);
    at += segmentHeaderBytes + bytes.length;
  }
  return batch;
}

/** A batch for the router itself, with all frames in one segment. */
export function toRouter(...frames: readonly ControlFrame[]): Uint8Array {
  const encoded = frames.map(encodeFrame);
  const bytes = new Uint8Array(encoded.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const frame of encoded) {
    bytes.set(frame, at);
    at += frame.length;
  }
  return batchOf([routerAddress, bytes]);
}

export function openTo(peer: string, fields: Partial<Extract<RouterFrame, { kind: "open" }>> = {}): ControlFrame {
  const early = new Uint8Array();
  return {
    kind: "open",
    connection: 1,
    session: anySession,
    peer,
    protocol: "test",
    limit: 1_000,
    metadata: {},
    early,
    ...fields,
  };
}

function* routerFramesIn(bytes: Uint8Array): Iterable<RouterFrame> {
  const reader = new RouterFrameReader(bytes);
  for (let frame = reader.next(); frame !== undefined; frame = reader.next()) yield frame;
}
