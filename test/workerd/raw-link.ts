import { exports } from "cloudflare:workers";
import {
  type ControlFrame,
  encodeBatch,
  encodeFrame,
  routerAddress,
  type RouterFrame,
  RouterFrameReader,
  SegmentReader,
  segmentHeaderBytes,
  subprotocols,
} from "@messagepasser/protocol";
import { expect } from "vitest";

/** Long enough for a busy machine, short of the test's own limit, so that the error says what didn't come. */
const patienceMs = 4_000;

export interface Closing {
  readonly code: number;
  readonly reason: string;
}

/** What a link got: a frame of the router's, another client's segment, or a text, which no batch is. */
export type Heard =
  | RouterFrame
  | { readonly kind: "segment"; readonly from: number; readonly bytes: Uint8Array }
  | { readonly kind: "text"; readonly text: string };

export interface LinkOptions {
  readonly realm: string;
  readonly name: string;
  readonly secret: string;
  readonly session?: string;
}

export function newSession(): string {
  return crypto.randomUUID().replaceAll("-", "");
}

export function basic(name: string, secret: string): string {
  return `Basic ${base64(`${name}:${secret}`)}`;
}

/** The subprotocol by which a page says who it is. */
export function authSubprotocol(name: string, secret: string): string {
  const unpadded = base64(`${name}:${secret}`).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return subprotocols.credentialsPrefix + unpadded;
}

function base64(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

/** A WebSocket upgrade, as a client would send it. */
export function upgrade(path: string, headers: Record<string, string> = {}): Promise<Response> {
  return exports.default.fetch(`https://router.test${path}`, {
    headers: { upgrade: "websocket", "sec-websocket-protocol": subprotocols.native, ...headers },
  });
}

/** Waits for the close of a socket that an upgrade gave. */
export function closingOf(response: Response): Promise<Closing> {
  const socket = response.webSocket;
  if (response.status !== 101 || socket === null) throw new Error(`Not upgraded: ${response.status}`);
  const closing = new Promise<Closing>((resolve) => {
    socket.addEventListener("close", ({ code, reason }) => {
      resolve({ code, reason });
    });
  });
  socket.accept();
  return withPatience(closing, "the close");
}

/** A client's link without a client behind it: sends what it is told and keeps what comes. */
export class RawLink {
  readonly name: string;
  readonly session: string;
  readonly socket: WebSocket;
  /** What the router said why it closes the link. */
  announced: Closing | undefined;
  /** When and why the link ended. */
  readonly closing: Promise<Closing>;
  #heard: Heard[] = [];
  #wake: (() => void) | undefined;
  #request = 0;

  private constructor(socket: WebSocket, name: string, session: string) {
    this.socket = socket;
    this.name = name;
    this.session = session;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", ({ data }) => {
      // Binary comes as an ArrayBuffer, as asked for above.
      if (typeof data === "string") this.#heard.push({ kind: "text", text: data });
      else for (const heard of read(new Uint8Array(data as ArrayBuffer))) this.#take(heard);
      this.#wake?.();
    });
    this.closing = new Promise((resolve) => {
      socket.addEventListener("close", ({ code, reason }) => {
        resolve({ code, reason });
      });
    });
    socket.accept();
  }

  #take(heard: Heard): void {
    if (this.announced !== undefined) throw new Error(`"${heard.kind}" came after the announcement of the close`);
    if (heard.kind === "closing") this.announced = { code: heard.code, reason: heard.reason };
    else this.#heard.push(heard);
  }

  /** Connects and checks the welcome. */
  static async connect({ realm, name, secret, session = newSession() }: LinkOptions): Promise<RawLink> {
    const path = `/connect/${realm}?session=${session}`;
    const response = await upgrade(path, { authorization: basic(name, secret) });
    if (response.webSocket === null) throw new Error(`Not upgraded: ${response.status} ${await response.text()}`);
    expect(response.headers.get("sec-websocket-protocol")).toBe(subprotocols.native);
    const link = new RawLink(response.webSocket, name, session);
    expect(await link.next()).toEqual({ kind: "welcome", session, name, realm });
    return link;
  }

  send(batch: Uint8Array): void {
    this.socket.send(batch);
  }

  toRouter(frame: ControlFrame): void {
    this.send(encodeBatch(routerAddress, frame));
  }

  toPeer(address: number, bytes: Uint8Array): void {
    this.send(segment(address, bytes));
  }

  open(peer: string, connection = 1, early = new Uint8Array()): void {
    this.toRouter({ kind: "open", connection, peer, protocol: "test", limit: 1_000, metadata: {}, early });
  }

  /** What comes next. */
  async next(): Promise<Heard> {
    const deadline = Date.now() + patienceMs;
    for (;;) {
      const heard = this.#heard.shift();
      if (heard !== undefined) return heard;
      const more = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await withPatience(more, `a frame for "${this.name}"`, deadline - Date.now());
    }
  }

  /** The next frame, which has to be of this kind. */
  async nextOf<Kind extends Heard["kind"]>(kind: Kind): Promise<Extract<Heard, { kind: Kind }>> {
    const heard = await this.next();
    expect(heard).toMatchObject({ kind });
    // Just compared.
    return heard as Extract<Heard, { kind: Kind }>;
  }

  /** What came and wasn't asked for yet. */
  get unread(): readonly Heard[] {
    return this.#heard;
  }

  /** Shows that nothing had come: what the router had to say before its answer to a list, it said before that answer. */
  async expectNothing(): Promise<void> {
    const request = ++this.#request;
    this.toRouter({ kind: "list", request, cursor: "" });
    expect(await this.next()).toMatchObject({ kind: "peers", request });
  }

  /** Whether the link still stands after all that was sent on it, or how it was closed. */
  async outcome(): Promise<"open" | Closing> {
    if (this.socket.readyState !== WebSocket.OPEN) return this.closed();
    const request = ++this.#request;
    this.toRouter({ kind: "list", request, cursor: "" });
    const answered = async (): Promise<"open"> => {
      for (;;) {
        const heard = await this.next();
        if (heard.kind === "peers" && heard.request === request) return "open";
      }
    };
    return Promise.race([answered(), this.closing]);
  }

  close(code?: number, reason?: string): void {
    this.socket.close(code, reason);
  }

  /** The code and reason with which the link ended. */
  closed(): Promise<Closing> {
    return withPatience(this.closing, `the close of "${this.name}"`);
  }

  /** The address that the router gave to this link, found out by an open to itself. */
  async ownAddress(): Promise<number> {
    this.open(this.name);
    const { address } = await this.nextOf("incoming");
    expect(await this.nextOf("routed")).toMatchObject({ address });
    return address;
  }

  /** The same, where the router closed the link and has to have said so before. */
  async closedByRouter(): Promise<Closing> {
    const closing = await this.closed();
    expect(this.announced).toEqual(closing);
    return closing;
  }

  [Symbol.dispose](): void {
    // Throws for a socket that is closed.
    if (this.socket.readyState === WebSocket.OPEN) this.socket.close(1000);
  }
}

/** Opens from one to the other and returns each one's address as the other sees it. */
export async function pairUp(from: RawLink, to: RawLink): Promise<{ from: number; to: number }> {
  from.open(to.name);
  const incoming = await to.nextOf("incoming");
  expect(incoming).toMatchObject({ peer: from.name, session: from.session });
  const routed = await from.nextOf("routed");
  expect(routed).toMatchObject({ session: to.session });
  return { from: incoming.address, to: routed.address };
}

/** Shows that two links talk with each other, in both directions. */
export async function expectTalk(
  from: RawLink,
  to: RawLink,
  addresses: { readonly from: number; readonly to: number },
): Promise<void> {
  const there = crypto.getRandomValues(new Uint8Array(20));
  from.toPeer(addresses.to, there);
  expect(await to.next()).toEqual({ kind: "segment", from: addresses.from, bytes: there });
  const back = crypto.getRandomValues(new Uint8Array(20));
  to.toPeer(addresses.from, back);
  expect(await from.next()).toEqual({ kind: "segment", from: addresses.to, bytes: back });
}

/** One segment as a batch. */
export function segment(address: number, bytes: Uint8Array): Uint8Array {
  const batch = new Uint8Array(segmentHeaderBytes + bytes.length);
  const view = new DataView(batch.buffer);
  view.setUint32(0, address);
  view.setUint32(4, bytes.length);
  batch.set(bytes, segmentHeaderBytes);
  return batch;
}

/** The frames of one segment, one after the other. */
export function framesOf(...frames: readonly ControlFrame[]): Uint8Array {
  return Uint8Array.from(frames.flatMap((frame) => [...encodeFrame(frame)]));
}

function* read(batch: Uint8Array): Iterable<Heard> {
  const segments = new SegmentReader(batch);
  while (segments.next()) {
    if (segments.address !== routerAddress) {
      yield { kind: "segment", from: segments.address, bytes: batch.slice(segments.start, segments.end) };
      continue;
    }
    const frames = new RouterFrameReader(batch, segments.start, segments.end);
    for (let frame = frames.next(); frame !== undefined; frame = frames.next()) yield frame;
  }
}

async function withPatience<T>(promise: Promise<T>, what: string, timeoutMs = patienceMs): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLate = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`Waited in vain for ${what}`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
