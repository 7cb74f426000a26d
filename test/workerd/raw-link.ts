import { exports } from "cloudflare:workers";
import {
  anySession,
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
  /** Undefined: a new one; `null`: the upgrade names none. */
  readonly session?: string | null | undefined;
  /** Marks are answered, unless this is false. Either way they aren't among what was heard. */
  readonly answersMarks?: boolean;
}

type Welcome = Extract<RouterFrame, { kind: "welcome" }>;
export type Mark = Extract<RouterFrame, { kind: "mark" }>;

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
export async function closingOf(response: Response): Promise<Closing> {
  const { code, reason } = await refusalOf(response);
  return { code, reason };
}

/** The same, with the `closing` frame that has to come first, and alone, where the socket speaks our format. */
export async function refusalOf(response: Response): Promise<Closing & { delayMs: number | undefined }> {
  const socket = response.webSocket;
  if (response.status !== 101 || socket === null) throw new Error(`Not upgraded: ${response.status}`);
  socket.binaryType = "arraybuffer";
  const heard: Heard[] = [];
  socket.addEventListener("message", ({ data }) => {
    // Binary comes as an ArrayBuffer, as asked for above.
    heard.push(...read(new Uint8Array(data as ArrayBuffer)));
  });
  const closing = new Promise<Closing>((resolve) => {
    socket.addEventListener("close", ({ code, reason }) => {
      resolve({ code, reason });
    });
  });
  socket.accept();
  const closed = await withPatience(closing, "the close");
  const isNative = response.headers.get("sec-websocket-protocol") === subprotocols.native;
  expect(heard).toMatchObject(isNative ? [{ kind: "closing", ...closed }] : []);
  const [frame] = heard;
  return { ...closed, delayMs: frame?.kind === "closing" ? frame.delayMs : undefined };
}

/** A client's link without a client behind it: sends what it is told and keeps what comes. */
export class RawLink {
  readonly name: string;
  readonly session: string;
  readonly socket: WebSocket;
  readonly welcome: Welcome;
  /** What the router said why it closes the link. */
  announced: Closing | undefined;
  announcedDelayMs: number | undefined;
  /** Marks that came. */
  readonly marks: Mark[] = [];
  readonly #answersMarks: boolean;
  /** When and why the link ended. */
  readonly closing: Promise<Closing>;
  isClosed = false;
  #heard: Heard[] = [];
  #wake: (() => void) | undefined;
  #request = 0;

  private constructor(socket: WebSocket, name: string, welcome: Heard, answersMarks: boolean) {
    if (welcome.kind !== "welcome") throw new Error(`Not a welcome: ${welcome.kind}`);
    this.socket = socket;
    this.name = name;
    this.session = welcome.session;
    this.welcome = welcome;
    this.#answersMarks = answersMarks;
    this.closing = new Promise((resolve) => {
      socket.addEventListener("close", ({ code, reason }) => {
        this.isClosed = true;
        resolve({ code, reason });
      });
    });
  }

  #take(heard: Heard): void {
    if (this.announced !== undefined) throw new Error(`"${heard.kind}" came after the announcement of the close`);
    if (heard.kind === "closing") {
      this.announced = { code: heard.code, reason: heard.reason };
      this.announcedDelayMs = heard.delayMs;
    } else if (heard.kind === "mark") {
      this.marks.push(heard);
      if (this.#answersMarks && this.socket.readyState === WebSocket.OPEN) this.reach(heard);
    } else this.#heard.push(heard);
    this.#wake?.();
  }

  /** Connects and checks the welcome. */
  static async connect(options: LinkOptions): Promise<RawLink> {
    const { realm, name, secret, session = newSession(), answersMarks = true } = options;
    const path = `/connect/${realm}${session === null ? "" : `?session=${session}`}`;
    const response = await upgrade(path, { authorization: basic(name, secret) });
    const socket = response.webSocket;
    if (socket === null) throw new Error(`Not upgraded: ${response.status} ${await response.text()}`);
    expect(response.headers.get("sec-websocket-protocol")).toBe(subprotocols.native);
    socket.binaryType = "arraybuffer";
    let link: RawLink | undefined;
    const welcome = new Promise<RawLink>((resolve) => {
      socket.addEventListener("message", ({ data }) => {
        // Binary comes as an ArrayBuffer, as asked for above.
        const all: Heard[] =
          typeof data === "string" ? [{ kind: "text", text: data }] : [...read(new Uint8Array(data as ArrayBuffer))];
        for (const heard of all) {
          if (link === undefined) resolve((link = new RawLink(socket, name, heard, answersMarks)));
          else link.#take(heard);
        }
      });
    });
    socket.accept();
    const welcomed = await withPatience(welcome, `the welcome of "${name}"`);
    expect(welcomed.welcome).toMatchObject({ name, realm, ...(session !== null && { session }) });
    return welcomed;
  }

  /** Answers a mark. */
  reach({ token }: Pick<Mark, "token">): void {
    this.toRouter({ kind: "reached", token });
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

  open(peer: string, connection = 1, early = new Uint8Array(), session = anySession): void {
    this.toRouter({ kind: "open", connection, session, peer, protocol: "test", limit: 1_000, metadata: {}, early });
  }

  resume(peer: string, session: string): void {
    this.toRouter({ kind: "resume", session, peer });
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

/** Resumes from one to the other and returns each one's address as the other sees it. */
export async function pairAgain(from: RawLink, to: RawLink): Promise<{ from: number; to: number }> {
  from.resume(to.name, to.session);
  const there = await to.nextOf("paired");
  expect(there).toMatchObject({ peer: from.name, session: from.session });
  const here = await from.nextOf("paired");
  expect(here).toMatchObject({ peer: to.name, session: to.session });
  return { from: there.address, to: here.address };
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
