// The ends on an opaque relay: bare `ws`, which sends what it is given, in the batches that the client would make.
import type { Buffer } from "node:buffer";
import { once } from "node:events";
import WebSocket from "ws";
import { type Dial, type ReceivingEnd, type SendingEnd, StreamCount } from "./end.ts";
import { WindowedReceiver, WindowedSender } from "./windowed.ts";

/** As much as a full batch of the client's. Larger messages go as one: nothing here would split them. */
const batchBytes = 65_536;
const credit = "credit";
const endOfStream = "end";

/** As the client does it: see client/src/node.ts. */
async function dialTo(url: string, path: string): Promise<WebSocket> {
  const socket = new WebSocket(new URL(path, url).href, {
    perMessageDeflate: false,
    generateMask: (mask) => mask.fill(0),
  });
  await once(socket, "open");
  return socket;
}

/** A stream's socket belongs to its two ends; so does that of the echo. */
async function socketsOf({ url }: Dial, pair: string): Promise<{ stream: WebSocket; echo: WebSocket }> {
  return { stream: await dialTo(url, `/stream-${pair}`), echo: await dialTo(url, `/echo-${pair}`) };
}

class RelaySender implements SendingEnd {
  readonly #echo: WebSocket;
  readonly #sender: WindowedSender;
  #onEcho: () => void = () => undefined;

  constructor(stream: WebSocket, echo: WebSocket) {
    this.#echo = echo;
    this.#sender = new WindowedSender({
      send: (batch) => {
        stream.send(batch);
      },
      end: () => {
        stream.send(endOfStream);
      },
    });
    stream.on("message", () => {
      this.#sender.credit();
    });
    echo.on("message", () => {
      this.#onEcho();
    });
  }

  startStream(messageBytes: number): Promise<void> {
    const messagesPerBatch = Math.max(1, Math.floor(batchBytes / messageBytes));
    this.#sender.start(messagesPerBatch * messageBytes);
    return Promise.resolve();
  }

  async stopStream(): Promise<number> {
    return await this.#sender.stop();
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
}

export async function connectSender(dial: Dial): Promise<SendingEnd> {
  const { stream, echo } = await socketsOf(dial, `${dial.name} ${dial.peer}`);
  return new RelaySender(stream, echo);
}

export async function connectReceiver(dial: Dial): Promise<ReceivingEnd> {
  const { stream, echo } = await socketsOf(dial, `${dial.peer} ${dial.name}`);
  const streams = new StreamCount();
  const receiver = new WindowedReceiver(streams, () => {
    stream.send(credit);
  });
  stream.on("message", (message: Buffer, isBinary) => {
    if (isBinary) receiver.add(message.length);
    else receiver.end();
  });
  echo.on("message", (message: Buffer) => {
    echo.send(message);
  });
  return { streams };
}
