import {
  type ControlFrame,
  encodeFrame,
  routerAddress,
  type RouterFrame,
  RouterFrameReader,
  SegmentReader,
  segmentHeaderBytes,
} from "@messagepasser/protocol";
import type { Link, Links, Pairs } from "../../src/routing.ts";

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

export class FakeLink implements Link {
  readonly address: number;
  readonly name: string;
  readonly session: string;
  readonly pairs: FakePairs;
  #messages: Heard[][] = [];

  constructor(address: number, name: string, capacity = Infinity) {
    this.address = address;
    this.name = name;
    this.session = address.toString(16).padStart(32, "0");
    this.pairs = new FakePairs(capacity);
  }

  send(batch: Uint8Array): void {
    // A socket copies what it sends, and the router goes on writing into the batch.
    const segments = new SegmentReader(batch.slice());
    const heard: Heard[] = [];
    while (segments.next()) {
      const bytes = segments.bytes.subarray(segments.start, segments.end);
      if (segments.address !== routerAddress) heard.push({ from: segments.address, bytes });
      else heard.push(...routerFramesIn(bytes));
    }
    this.#messages.push(heard);
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

  join(name: string): FakeLink {
    const link = new FakeLink(this.#nextAddress++, name, this.#capacity);
    this.#links.set(link.address, link);
    return link;
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
  return { kind: "open", connection: 1, peer, protocol: "test", limit: 1_000, metadata: {}, early, ...fields };
}

function* routerFramesIn(bytes: Uint8Array): Iterable<RouterFrame> {
  const reader = new RouterFrameReader(bytes);
  for (let frame = reader.next(); frame !== undefined; frame = reader.next()) yield frame;
}
