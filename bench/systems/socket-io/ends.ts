// The ends on Socket.IO: its client, used as any program would use it.
import type { Buffer } from "node:buffer";
import { io, type Socket } from "socket.io-client";
import parser from "socket.io-msgpack-parser";
import { type Dial, type SendingEnd, StreamCount } from "../end.ts";
import { WindowedReceiver, WindowedSender } from "../windowed.ts";

async function connectTo({ url, name }: Dial): Promise<Socket> {
  // Without `forceNew` the ends of a process would share one link.
  const socket = io(url, { transports: ["websocket"], parser, forceNew: true, auth: { name } });
  await new Promise<void>((resolve) => socket.once("connect", resolve));
  return socket;
}

export async function connectSender(dial: Dial): Promise<SendingEnd> {
  const socket = await connectTo(dial);
  const sender = new WindowedSender({
    send: (message) => socket.emit("message", dial.peer, message),
    end: () => socket.emit("end", dial.peer),
    echo: (message) => socket.emit("echo", dial.peer, message),
  });
  socket.on("credit", () => sender.credit());
  socket.on("echoed", () => sender.echoed());
  return sender;
}

export async function connectReceiver(dial: Dial): Promise<StreamCount> {
  const socket = await connectTo(dial);
  const count = new StreamCount();
  const receivers = new Map<string, WindowedReceiver>();
  const receiverOf = (sender: string): WindowedReceiver => {
    const receiver = receivers.get(sender) ?? new WindowedReceiver(count, () => socket.emit("credit", sender));
    receivers.set(sender, receiver);
    return receiver;
  };
  socket.on("message", (sender: string, message: Buffer) => receiverOf(sender).add(message.length));
  socket.on("end", () => count.end());
  socket.on("echo", (sender: string, message: Buffer) => socket.emit("echoed", sender, message));
  return count;
}
