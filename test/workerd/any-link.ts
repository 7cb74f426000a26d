// A client's link in any format, without a client behind it.
import { heartbeat, routerAddress, SegmentReader } from "@messagepasser/protocol";
import { type Format, formatOf, type SegmentFormat, type WireMessage } from "@messagepasser/protocol/formats";
import { encodeGob, gobDefinition, GobReader } from "../../protocol/src/original/gob.ts";
import { expect } from "vitest";
import { batchOf } from "../../src/routing/encoding.ts";
import { basic, type Closing, newSession, upgrade } from "./raw-link.ts";
import type { Realm } from "./realm.ts";

/** Long enough for a busy machine, short of the test's own limit, so that the error says what didn't come. */
const patienceMs = 4_000;

/** One thing that a client hears, as its format writes it: an object of JSON, a line, a value of gob, or a frame and whose it is. */
export type Item = Readonly<Record<string, unknown>>;

export class AnyLink {
  readonly format: Format;
  readonly socket: WebSocket;
  readonly closing: Promise<Closing>;
  /** Whether marks are answered at once. They aren't among what was heard. */
  answersMarks = true;
  /** The answers to marks that were not answered. */
  readonly #marks: WireMessage[] = [];
  readonly #name: string;
  #heard: Item[] = [];
  #wake: (() => void) | undefined;

  private constructor(format: Format, name: string, socket: WebSocket) {
    this.format = format;
    this.#name = name;
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", ({ data }) => {
      // Binary comes as an ArrayBuffer, as asked for above.
      const message = typeof data === "string" ? data : new Uint8Array(data as ArrayBuffer);
      for (const item of itemsIn(format, message)) {
        const answer = answerToMark(format, item);
        if (answer === undefined) this.#heard.push(item);
        else this.#marks.push(answer);
      }
      if (this.answersMarks && socket.readyState === WebSocket.OPEN) this.reachMarks();
      this.#wake?.();
    });
    this.closing = new Promise((resolve) => {
      socket.addEventListener("close", ({ code, reason }) => {
        resolve({ code, reason });
      });
    });
    socket.accept();
  }

  /** Connects, and takes the welcome where the format has one. */
  static async connect(realm: Realm, subprotocol: string, name: string, secret: string): Promise<AnyLink> {
    const link = await AnyLink.connectUnheard(realm, subprotocol, name, secret);
    if (link.format.addressing === "address") expect(await link.next()).toMatchObject({ kind: "welcome", name });
    else if (subprotocol === "mp.v1.json")
      expect(await link.next()).toEqual({ type: "welcome", name, realm: realm.name });
    return link;
  }

  /** Connects, and leaves all that comes to be asked for. */
  static async connectUnheard(realm: Realm, subprotocol: string, name: string, secret: string): Promise<AnyLink> {
    const headers = { authorization: basic(name, secret), "sec-websocket-protocol": subprotocol };
    const response = await upgrade(`/connect/${realm.name}?session=${newSession()}`, headers);
    const [socket, format] = [response.webSocket, formatOf(subprotocol)];
    if (socket === null || format === undefined) throw new Error(`Not upgraded: ${await response.text()}`);
    expect(response.headers.get("sec-websocket-protocol")).toBe(subprotocol);
    return new AnyLink(format, name, socket);
  }

  /** Adds a client and connects it. */
  static async join(realm: Realm, subprotocol: string, name: string): Promise<AnyLink> {
    const { secret } = await realm.add(name);
    return AnyLink.connect(realm, subprotocol, name, secret);
  }

  send(message: WireMessage): void {
    this.socket.send(message);
  }

  json(...frames: readonly object[]): void {
    this.send(JSON.stringify(frames.length === 1 ? frames[0] : frames));
  }

  /** Answers all marks that came, and says how many there were. */
  reachMarks(): number {
    const answers = this.#marks.splice(0);
    for (const answer of answers) this.send(answer);
    return answers.length;
  }

  /** What comes next. */
  async next(): Promise<Item> {
    for (;;) {
      const item = this.#heard.shift();
      if (item !== undefined) return item;
      const more = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await withPatience(more, `something for "${this.#name}"`);
    }
  }

  /** What came and wasn't asked for yet. */
  get unread(): readonly Item[] {
    return this.#heard;
  }

  closed(): Promise<Closing> {
    return withPatience(this.closing, `the close of "${this.#name}"`);
  }

  /** Shows that the link stands: the heartbeat is the same in all formats. */
  async expectOpen(): Promise<void> {
    this.send(heartbeat.ping);
    expect(await this.next()).toEqual({ pong: true });
  }

  [Symbol.dispose](): void {
    // Throws for a socket that is closed.
    if (this.socket.readyState === WebSocket.OPEN) this.socket.close(1000);
  }
}

function itemsIn(format: Format, message: WireMessage): Item[] {
  if (message === heartbeat.pong) return [{ pong: true }];
  if (format.addressing === "address") return itemsInBatch(format, message as Uint8Array);
  if (typeof message !== "string") return itemsInGob(message);
  const texts = format.subprotocol === "mp.v1.json" ? [message] : message.split("\n").filter(Boolean);
  const items: Item[] = [];
  return items.concat(...texts.map((text) => JSON.parse(text) as Item | Item[]));
}

/** What a client sends when it has read a mark, or `undefined` for all else. */
function answerToMark(format: Format, item: Item): WireMessage | undefined {
  if (format.addressing === "address") {
    if (item["kind"] !== "mark") return undefined;
    return batchOf(format, routerAddress, [{ kind: "reached", token: Number(item["token"]) }]);
  }
  if (format.subprotocol === "mp.v1.json")
    return item["type"] === "mark" ? JSON.stringify({ type: "reached", token: item["token"] }) : undefined;
  const connectionId = String(item["ConnectionID"]);
  if (item["Meta"] !== 0 || !connectionId.startsWith("$mark:")) return undefined;
  if (format.subprotocol === "mp.v0.json") return JSON.stringify({ ...item, Meta: 2 });
  // The client's own type is defined by then: nothing is sent to it before it has spoken.
  return encodeGob({ meta: 2, otherClient: "", connectionId, data: new Uint8Array() });
}

function itemsInBatch(format: SegmentFormat, batch: Uint8Array): Item[] {
  const segments = new SegmentReader(batch);
  const items: Item[] = [];
  while (segments.next()) {
    const { address, start, end } = segments;
    const frames =
      address === routerAddress ? format.routerFrames(batch, start, end) : format.peerFrames(batch, start, end);
    for (let frame = frames.next(); frame !== undefined; frame = frames.next())
      items.push(address === routerAddress ? { ...frame } : { from: address, ...frame });
  }
  return items;
}

function itemsInGob(bytes: Uint8Array): Item[] {
  // The definition comes once; a reader that knows it already must not get it again.
  const isPreamble = bytes.length === gobDefinition.length && bytes.every((byte, at) => byte === gobDefinition[at]);
  if (isPreamble) return [];
  return Array.from(new GobReader(gobDefinition).read(bytes), ({ meta, otherClient, connectionId, data }) => ({
    Meta: meta,
    OtherClient: otherClient,
    ConnectionID: connectionId,
    Data: [...data],
  }));
}

async function withPatience<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLate = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`Waited in vain for ${what}`)), patienceMs);
  });
  try {
    return await Promise.race([promise, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
