// The ends on Socket.IO: its client, used as anybody would.
import type { Buffer } from "node:buffer";
import { io, type Socket } from "socket.io-client";
import parser from "socket.io-msgpack-parser";
import { type Dial, type ReceivingEnd, type SendingEnd, StreamCount } from "../../ends/end.ts";
import { WindowedReceiver, WindowedSender } from "../../ends/windowed.ts";

async function connectTo({ url, name }: Dial): Promise<Socket> {
  // A link of its own for each end: without `forceNew` those of a process would share one.
  const socket = io(url, { transports: ["websocket"], parser, forceNew: true, auth: { name } });
  await new Promise<void>((resolve) => socket.once("connect", resolve));
  return socket;
}

class SocketIoSender implements SendingEnd {
  readonly #socket: Socket;
  readonly #peer: string;
  readonly #sender: WindowedSender;

  constructor(socket: Socket, peer: string) {
    this.#socket = socket;
    this.#peer = peer;
    this.#sender = new WindowedSender({
      send: (message) => {
        socket.emit("message", peer, message);
      },
      end: () => {
        socket.emit("end", peer);
      },
    });
    socket.on("credit", () => {
      this.#sender.credit();
    });
  }

  startStream(messageBytes: number): Promise<void> {
    this.#sender.start(messageBytes);
    return Promise.resolve();
  }

  async stopStream(): Promise<number> {
    return await this.#sender.stop();
  }

  roundTrip(message: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      this.#socket.once("echoed", () => {
        resolve();
      });
      this.#socket.emit("echo", this.#peer, message);
    });
  }

  /** Nothing has to be opened here. */
  async openToFirstByte(message: Uint8Array): Promise<undefined> {
    await this.roundTrip(message);
  }
}

export async function connectSender(dial: Dial): Promise<SendingEnd> {
  return new SocketIoSender(await connectTo(dial), dial.peer);
}

export async function connectReceiver(dial: Dial): Promise<ReceivingEnd> {
  const socket = await connectTo(dial);
  const streams = new StreamCount();
  const receivers = new Map<string, WindowedReceiver>();
  const receiverOf = (sender: string): WindowedReceiver => {
    let receiver = receivers.get(sender);
    if (receiver === undefined) {
      receiver = new WindowedReceiver(streams, () => {
        socket.emit("credit", sender);
      });
      receivers.set(sender, receiver);
    }
    return receiver;
  };
  socket.on("message", (sender: string, message: Buffer) => {
    receiverOf(sender).add(message.length);
  });
  socket.on("end", (sender: string) => {
    receiverOf(sender).end();
  });
  socket.on("echo", (sender: string, message: Buffer) => {
    socket.emit("echoed", sender, message);
  });
  return { streams };
}
