import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import WebSocket from "ws";
import { type Dial, type SendingEnd, StreamCount, type StreamReceiver } from "./end.ts";

/** As much as a full batch of the client's. */
export const relayMessageBytes = 65_536;
/** As much as the client's credit frame in its segment. */
const credit = Buffer.alloc(32);
const endOfStream = "end";

/** As the client does it: see client/src/node.ts. */
async function dialTo(url: string, path: string): Promise<WebSocket> {
  const socket = new WebSocket(new URL(path, url).href, { perMessageDeflate: false });
  await once(socket, "open");
  return socket;
}

/** What the two ends on a relay know of each other from the start, as there is no frame to tell them. */
export interface RelayDial extends Dial {
  readonly windowBytes: number;
}

/** The sending end on the relay: bare `ws`, no more code than the same work needs. */
export class RelaySender implements SendingEnd {
  readonly #stream: WebSocket;
  readonly #echo: WebSocket;
  readonly #windowBytes: number;
  readonly #message = randomBytes(relayMessageBytes);
  #outstandingBytes = 0;
  #messages = 0;
  #isStopped = true;
  #onEcho: () => void = () => undefined;

  constructor(stream: WebSocket, echo: WebSocket, windowBytes: number) {
    this.#stream = stream;
    this.#echo = echo;
    this.#windowBytes = windowBytes;
    stream.on("message", () => {
      this.#outstandingBytes -= windowBytes / 2;
      this.#pump();
    });
    echo.on("message", () => {
      this.#onEcho();
    });
  }

  static async connect({ url, windowBytes }: RelayDial): Promise<RelaySender> {
    return new RelaySender(await dialTo(url, "/stream"), await dialTo(url, "/echo"), windowBytes);
  }

  startStream(messageBytes: number): Promise<void> {
    if (messageBytes !== relayMessageBytes)
      throw new RangeError(`The relay gets messages of ${relayMessageBytes} bytes only`);
    this.#messages = 0;
    this.#outstandingBytes = 0;
    this.#isStopped = false;
    this.#pump();
    return Promise.resolve();
  }

  stopStream(): Promise<number> {
    this.#isStopped = true;
    this.#stream.send(endOfStream);
    return Promise.resolve(this.#messages);
  }

  roundTrip(message: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      this.#onEcho = resolve;
      this.#echo.send(message);
    });
  }

  /** Nothing has to be opened here. */
  openToFirstByte(message: Uint8Array): Promise<void> {
    return this.roundTrip(message);
  }

  windowBytes(): Promise<number> {
    return Promise.resolve(this.#windowBytes);
  }

  #pump(): void {
    while (!this.#isStopped && this.#outstandingBytes + relayMessageBytes <= this.#windowBytes) {
      this.#stream.send(this.#message);
      this.#outstandingBytes += relayMessageBytes;
      this.#messages++;
    }
  }
}

/** The receiving end on the relay. Grants credit half a window at a time. */
export class RelayReceiver implements StreamReceiver {
  stream = new StreamCount();
  #uncreditedBytes = 0;

  constructor(stream: WebSocket, echo: WebSocket, windowBytes: number) {
    stream.on("message", (message: Buffer, isBinary) => {
      if (!isBinary) {
        this.stream.end();
        return;
      }
      this.stream.add(message.length);
      this.#uncreditedBytes += message.length;
      if (this.#uncreditedBytes < windowBytes / 2) return;
      this.#uncreditedBytes -= windowBytes / 2;
      stream.send(credit);
    });
    echo.on("message", (message: Buffer) => {
      echo.send(message);
    });
  }

  static async connect({ url, windowBytes }: RelayDial): Promise<RelayReceiver> {
    return new RelayReceiver(await dialTo(url, "/stream"), await dialTo(url, "/echo"), windowBytes);
  }

  prepareStream(): void {
    this.stream = new StreamCount();
    this.#uncreditedBytes = 0;
  }
}
