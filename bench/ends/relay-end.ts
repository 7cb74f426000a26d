// The ends on an opaque relay: bare `ws`, which sends what it is given, in the batches that the client would make.
import type { Buffer } from "node:buffer";
import { once } from "node:events";
import WebSocket from "ws";
import type { Dial, ReceivingEnd, SendingEnd } from "./end.ts";
import { type PairSocket, receiverOn, senderOn, type SocketPair } from "./socket-pair.ts";

/** As much as a full batch of the client's. Larger messages go as one: nothing here would split them. */
const batchBytes = 131_072;

/** As the client does it: see client/src/node.ts. */
async function dialTo(url: string, path: string): Promise<PairSocket> {
  const socket = new WebSocket(new URL(path, url).href, {
    perMessageDeflate: false,
    generateMask: (mask) => mask.fill(0),
  });
  await once(socket, "open");
  return {
    send: (message) => {
      socket.send(message);
    },
    onMessage: (hear) => {
      socket.on("message", (message: Buffer, isBinary) => {
        hear(isBinary ? message : message.toString());
      });
    },
  };
}

/** A stream's socket belongs to its two ends; so does that of the echo. */
async function socketsOf({ url }: Dial, pair: string): Promise<SocketPair> {
  return { stream: await dialTo(url, `/stream-${pair}`), echo: await dialTo(url, `/echo-${pair}`) };
}

export async function connectSender(dial: Dial): Promise<SendingEnd> {
  return senderOn(await socketsOf(dial, `${dial.name} ${dial.peer}`), batchBytes);
}

export async function connectReceiver(dial: Dial): Promise<ReceivingEnd> {
  return receiverOn(await socketsOf(dial, `${dial.peer} ${dial.name}`));
}
