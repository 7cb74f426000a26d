// A client's link without a client behind it: it sends what a test tells it to, however wrong, and keeps what comes.
import {
  anySession,
  type ControlFrame,
  type DataFrame,
  heartbeat,
  type PeerFrame,
  routerAddress,
  type RouterFrame,
  splitLabel,
} from "@messagepasser/protocol";
import { native, type WireMessage } from "@messagepasser/protocol/formats";
import { expect } from "vitest";
import { batchesOf } from "../../src/routing/encoding.ts";
import { openTo, segment } from "./batches.ts";

/** Bounds a test that waits for what doesn't come. Shorter than the test's own limit, so that the error says what. */
const patienceMs = 15_000;

/** The part of a WebSocket that a raw link uses: workerd's fits unchanged, and so does that of `ws`. */
export interface RawSocket {
  readonly readyState: number;
  send(message: WireMessage): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: "message" | "close", listener: (event: SocketEvent) => void): void;
}

interface SocketEvent {
  /** Of a message: a string or an ArrayBuffer. */
  readonly data?: unknown;
  /** Of a close. */
  readonly code?: number;
  readonly reason?: string;
}

export interface Closing {
  readonly code: number;
  readonly reason: string;
}

/** How a link reads what comes, and how its client says that it has read a mark. */
export interface Reading<Item> {
  itemsIn(message: WireMessage): Item[];
  /** Undefined for any item but a mark. */
  answerToMark(item: Item): WireMessage | undefined;
}

type Welcome = Extract<RouterFrame, { kind: "welcome" }>;
type OfKind<Item, Kind> = Extract<Item, { readonly kind: Kind }>;
type Kinds = (RouterFrame | PeerFrame)["kind"] | "segment" | "text";

const isOpen = 1;

export class RawLink<Item extends object, Socket extends RawSocket = RawSocket> implements Disposable {
  readonly name: string;
  readonly socket: Socket;
  /** How the link ended. */
  readonly closing: Promise<Closing>;
  isClosed = false;
  /** When the router said that the client may come back, once `closedByRouter` has read that. */
  announcedDelayMs: number | undefined;
  /** Whether marks are answered as they come. */
  answersMarks = true;
  /** Marks that came. They aren't among the unread items. */
  readonly marks: OfKind<Item, "mark">[] = [];
  readonly #answers: WireMessage[] = [];
  #unread: Item[] = [];
  #isAnnounced = false;
  #welcome: Welcome | undefined;
  #wake = Promise.withResolvers<void>();
  #lastRequest = 0;

  constructor(socket: Socket, name: string, reading: Reading<Item>) {
    this.socket = socket;
    this.name = name;
    socket.addEventListener("message", ({ data }) => {
      // Binary comes as an ArrayBuffer: each platform is asked for that.
      const message = typeof data === "string" ? data : new Uint8Array(data as ArrayBuffer);
      for (const item of reading.itemsIn(message)) this.#take(item, reading.answerToMark(item));
      this.#wake.resolve();
      this.#wake = Promise.withResolvers();
    });
    this.closing = new Promise((resolve) => {
      socket.addEventListener("close", ({ code = 0, reason = "" }) => {
        this.isClosed = true;
        // Clients answer a close. Workerd does so by itself only from the compatibility date 2026-04-07 on.
        socket.close();
        resolve({ code, reason });
      });
    });
  }

  #take(item: Item, answer: WireMessage | undefined): void {
    if (this.#isAnnounced) throw new Error(`Something came after the announced close: ${JSON.stringify(item)}`);
    this.#isAnnounced = isClosing(item);
    if (answer === undefined) {
      this.#unread.push(item);
      return;
    }
    // Only a mark has an answer.
    this.marks.push(item as OfKind<Item, "mark">);
    this.#answers.push(answer);
    if (this.answersMarks && this.socket.readyState === isOpen) this.answerMarks();
  }

  /** Answers all marks that have no answer yet, and returns how many those were. */
  answerMarks(): number {
    const answers = this.#answers.splice(0);
    for (const answer of answers) this.send(answer);
    return answers.length;
  }

  /** The welcome of the router, once `welcomed` has taken it. */
  get welcome(): Welcome {
    if (this.#welcome === undefined) throw new Error(`"${this.name}" took no welcome`);
    return this.#welcome;
  }

  get session(): string {
    return this.welcome.session;
  }

  /** Waits for the welcome, which has to come first. */
  async welcomed(): Promise<this> {
    const welcome: object = await this.nextOf("welcome");
    this.#welcome = welcome as Welcome;
    expect(this.#welcome).toMatchObject({ name: splitLabel(this.name).name });
    return this;
  }

  send(message: WireMessage): void {
    this.socket.send(message);
  }

  /** Sends one object as JSON, or several as a list. */
  json(...frames: readonly object[]): void {
    this.send(JSON.stringify(frames.length === 1 ? frames[0] : frames));
  }

  toRouter(...frames: readonly ControlFrame[]): void {
    this.#sendFrames(routerAddress, frames);
  }

  /** Sends bytes as a segment, whatever they are. */
  toPeer(address: number, bytes: Uint8Array): void {
    this.send(segment(address, bytes));
  }

  /** Sends native frames in one segment, or in as many batches as it takes. */
  say(address: number, ...frames: readonly (ControlFrame | DataFrame)[]): void {
    this.#sendFrames(address, frames);
  }

  #sendFrames(address: number, frames: readonly (ControlFrame | DataFrame)[]): void {
    for (const batch of batchesOf(native, address, frames)) this.send(batch);
  }

  open(peer: string, connection = 1, first = new Uint8Array(), session = anySession): void {
    this.toRouter(openTo(peer, { connection, first, session }));
  }

  resume(peer: string, session: string): void {
    this.toRouter({ kind: "resume", session, peer });
  }

  /** Items that came and weren't asked for yet. */
  get unread(): readonly Item[] {
    return this.#unread;
  }

  /** Takes all items up to the first that fits. The announcement of a close stays unread unless it fits. */
  async until(fits: (item: Item) => boolean, what = "more"): Promise<Item[]> {
    const deadlineMs = Date.now() + patienceMs;
    const taken: Item[] = [];
    for (;;) {
      for (let item = this.#unread[0]; item !== undefined; item = this.#unread[0]) {
        const isFit = fits(item);
        if (!isFit && isClosing(item)) break;
        this.#unread.shift();
        taken.push(item);
        if (isFit) return taken;
      }
      await this.#within(this.#wake.promise, what, deadlineMs - Date.now());
    }
  }

  /** The next item. */
  async next(): Promise<Item> {
    const [item] = await this.until(() => true);
    // Something has fit.
    return item as Item;
  }

  /** The next item, which has to be of this kind. */
  async nextOf<Kind extends Kinds>(kind: Kind): Promise<OfKind<Item, Kind>> {
    const item = await this.next();
    expect(item).toMatchObject({ kind });
    // Just compared.
    return item as OfKind<Item, Kind>;
  }

  /** The next item of one of these kinds. Items before it are dropped. */
  async hear<Kind extends Kinds>(...kinds: readonly Kind[]): Promise<OfKind<Item, Kind>> {
    const items = await this.until((item) => "kind" in item && kinds.some((kind) => kind === item.kind), String(kinds));
    // The last one has fit.
    return items.at(-1) as OfKind<Item, Kind>;
  }

  /** Everything that the router sent up to now: it answers in order. */
  async hearAll(): Promise<Item[]> {
    const request = ++this.#lastRequest;
    this.toRouter({ kind: "list", request, cursor: "" });
    const isAnswer = (item: object): boolean =>
      "kind" in item && item.kind === "peers" && "request" in item && item.request === request;
    return (await this.until(isAnswer, "the peers")).slice(0, -1);
  }

  async expectNothing(): Promise<void> {
    expect(await this.hearAll()).toEqual([]);
  }

  /** Shows that the link stands: the heartbeat is the same in all formats. */
  async expectOpen(): Promise<void> {
    this.send(heartbeat.ping);
    expect(await this.next()).toEqual({ kind: "text", text: heartbeat.pong });
  }

  /** Whether the link still stands after all that was sent on it, or how it was closed. */
  async outcome(): Promise<"open" | Closing> {
    if (this.socket.readyState !== isOpen) return this.closed();
    return Promise.race([this.hearAll().then(() => "open" as const), this.closing]);
  }

  close(code?: number, reason?: string): void {
    this.socket.close(code, reason);
  }

  /** How the link ended, which has to be soon. */
  closed(): Promise<Closing> {
    return this.#within(this.closing, "its close");
  }

  /** The same, where the router closed the link and has to have said so as the last thing. */
  async closedByRouter(): Promise<Closing> {
    const closed = await this.closed();
    const announced = this.#unread.pop();
    expect(announced).toEqual({ kind: "closing", ...closed, delayMs: expect.any(Number) });
    // Just compared.
    this.announcedDelayMs = (announced as object as { delayMs: number }).delayMs;
    return closed;
  }

  /** The address that the router gave to this link, found out by an open to itself. */
  async ownAddress(): Promise<number> {
    this.open(this.name);
    const incoming: object = await this.nextOf("open");
    const { address } = incoming as Extract<RouterFrame, { kind: "open" }>;
    expect(await this.nextOf("routed")).toMatchObject({ address });
    return address;
  }

  [Symbol.dispose](): void {
    // Throws for some sockets that are closed.
    if (this.socket.readyState === isOpen) this.socket.close(1000);
  }

  async #within<T>(promise: Promise<T>, what: string, timeoutMs = patienceMs): Promise<T> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Error(`"${this.name}" waited in vain for ${what}`)), timeoutMs);
    try {
      return await Promise.race([promise, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }
}

function isClosing(item: object): boolean {
  return ("kind" in item && item.kind === "closing") || ("type" in item && item.type === "closing");
}
