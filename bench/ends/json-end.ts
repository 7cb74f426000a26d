// The ends on the router in `mp.v1.json`, as a program in any language would speak it.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";
import WebSocket from "ws";
import { type Dial, type ReceivingEnd, type SendingEnd, StreamCount } from "./end.ts";

interface Frame {
  readonly type: string;
  readonly peer?: string;
  readonly connection?: string;
  readonly limit?: number;
  readonly base64?: string;
  readonly token?: string;
}

const frameCostBytes = 16;
/** Where a sender stops gathering frames, and where it waits for its socket. */
const [flushLength, maxBufferedBytes] = [65_536, 262_144];

class JsonLink {
  readonly socket: WebSocket;

  constructor(socket: WebSocket, hear: (frame: Frame) => void) {
    this.socket = socket;
    socket.on("message", (data: Buffer) => {
      const frames = JSON.parse(data.toString()) as Frame | Frame[];
      for (const frame of Array.isArray(frames) ? frames : [frames]) {
        if (frame.type === "mark") socket.send(JSON.stringify({ type: "reached", token: frame.token }));
        else hear(frame);
      }
    });
  }

  static async open({ url, name, secret }: Dial, hear: (frame: Frame) => void): Promise<JsonLink> {
    const authorization = `Basic ${Buffer.from(`${name}:${secret}`).toString("base64")}`;
    const address = new URL("/connect/default", url);
    const socket = new WebSocket(address.href, "mp.v1.json", { headers: { authorization }, perMessageDeflate: false });
    const link = new JsonLink(socket, hear);
    await once(socket, "open");
    return link;
  }
}

/** The sending end. It counts credit, or it would send more than its peer takes. */
class JsonSender implements SendingEnd {
  readonly #dial: Dial;
  #link: JsonLink | undefined;
  #limit = 0;
  #wake = Promise.withResolvers<undefined>();
  #streams = 0;
  #stream: { stop: boolean; readonly messages: Promise<number> } | undefined;

  private constructor(dial: Dial) {
    this.#dial = dial;
  }

  static async connect(dial: Dial): Promise<JsonSender> {
    const sender = new JsonSender(dial);
    sender.#link = await JsonLink.open(dial, (frame) => {
      // One of this stream or of the one before: limits only count for the one that is open.
      if (frame.connection !== sender.#connection || (frame.type !== "accept" && frame.type !== "credit")) return;
      sender.#limit = Math.max(sender.#limit, frame.limit ?? 0);
      sender.#wake.resolve(undefined);
      sender.#wake = Promise.withResolvers();
    });
    return sender;
  }

  get #connection(): string {
    return `${this.#dial.name}:${this.#streams}`;
  }

  async startStream(messageBytes: number): Promise<void> {
    this.#streams++;
    this.#limit = 0;
    const head = { peer: this.#dial.peer, connection: this.#connection };
    this.#say([JSON.stringify({ type: "open", ...head, protocol: "stream" })]);
    await this.#wake.promise;
    const stream = { stop: false, messages: Promise.resolve(0) };
    stream.messages = this.#send(stream, head, messageBytes);
    this.#stream = stream;
  }

  async stopStream(): Promise<number> {
    if (this.#stream === undefined) return 0;
    this.#stream.stop = true;
    return await this.#stream.messages;
  }

  roundTrip(): Promise<void> {
    throw new TypeError("In JSON only streams are measured");
  }

  openToFirstByte(): Promise<undefined> {
    throw new TypeError("In JSON only streams are measured");
  }

  async #send(stream: { readonly stop: boolean }, head: object, messageBytes: number): Promise<number> {
    const base64 = randomBytes(messageBytes).toString("base64");
    const cost = messageBytes + frameCostBytes;
    let [messages, length, texts] = [0, 0, [] as string[]];
    const flush = async (): Promise<void> => {
      this.#say(texts);
      [length, texts] = [0, []];
      do await nextTurn();
      while ((this.#link?.socket.bufferedAmount ?? 0) > maxBufferedBytes);
    };
    for (let offset = 0; !stream.stop; messages++, offset += cost) {
      while (offset + cost > this.#limit) {
        if (texts.length > 0) await flush();
        else await this.#wake.promise;
      }
      const text = JSON.stringify({ type: "data", ...head, base64, offset });
      texts.push(text);
      length += text.length;
      if (length > flushLength) await flush();
    }
    this.#say([...texts, JSON.stringify({ type: "close", ...head, offset: messages * cost })]);
    return messages;
  }

  #say(texts: readonly string[]): void {
    this.#link?.socket.send(`[${texts.join(",")}]`);
  }
}

export async function connectJsonSender(dial: Dial): Promise<SendingEnd> {
  return await JsonSender.connect(dial);
}

export async function connectJsonReceiver(dial: Dial): Promise<ReceivingEnd> {
  const streams = new StreamCount();
  const link = await JsonLink.open(dial, ({ type, peer, connection, base64 = "" }) => {
    if (type === "open") link.socket.send(JSON.stringify({ type: "accept", peer, connection }));
    if (type === "data") streams.add(Buffer.byteLength(base64, "base64"));
    if (type === "end") streams.end();
  });
  return { streams };
}
