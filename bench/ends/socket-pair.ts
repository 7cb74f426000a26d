// Ends on two WebSockets that a server joins with two of another end: one for streams, one for echoes.
import { type ReceivingEnd, type SendingEnd, StreamCount } from "./end.ts";
import { WindowedReceiver, WindowedSender } from "./windowed.ts";

/** A WebSocket, of whichever library. */
export interface PairSocket {
  send(message: Uint8Array | string): void;
  onMessage(hear: (message: Uint8Array | ArrayBuffer | string) => void): void;
}

export interface SocketPair {
  readonly stream: PairSocket;
  readonly echo: PairSocket;
}

const credit = "credit";
const endOfStream = "end";

class PairSender implements SendingEnd {
  readonly #echo: PairSocket;
  readonly #sender: WindowedSender;
  readonly #batchBytes: number;
  #onEcho: () => void = () => undefined;

  constructor({ stream, echo }: SocketPair, batchBytes: number) {
    this.#echo = echo;
    this.#batchBytes = batchBytes;
    this.#sender = new WindowedSender({
      send: (message) => {
        stream.send(message);
      },
      end: () => {
        stream.send(endOfStream);
      },
    });
    stream.onMessage(() => {
      this.#sender.credit();
    });
    echo.onMessage(() => {
      this.#onEcho();
    });
  }

  startStream(messageBytes: number): Promise<void> {
    const messagesPerBatch = Math.max(1, Math.floor(this.#batchBytes / messageBytes));
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
  async openToFirstByte(message: Uint8Array): Promise<undefined> {
    await this.roundTrip(message);
  }
}

/** @param batchBytes messages that are smaller go as many as fit in here, in one; by default each goes by itself. */
export function senderOn(pair: SocketPair, batchBytes = 0): SendingEnd {
  return new PairSender(pair, batchBytes);
}

export function receiverOn({ stream, echo }: SocketPair): ReceivingEnd {
  const streams = new StreamCount();
  const receiver = new WindowedReceiver(streams, () => {
    stream.send(credit);
  });
  stream.onMessage((message) => {
    if (typeof message === "string") receiver.end();
    else receiver.add(message.byteLength);
  });
  echo.onMessage((message) => {
    echo.send(message instanceof ArrayBuffer ? new Uint8Array(message) : message);
  });
  return { streams };
}
