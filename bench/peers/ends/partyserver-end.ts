// The ends on PartyServer: its client, used as anybody would.
import { once } from "node:events";
import { PartySocket } from "partysocket";
import WebSocket from "ws";
import type { Dial, ReceivingEnd, SendingEnd } from "../../ends/end.ts";
import { type PairSocket, receiverOn, senderOn, type SocketPair } from "../../ends/socket-pair.ts";

/** On Node its documentation has the package `ws`. workerd would compress, were it asked to. */
class PlainWebSocket extends WebSocket {
  constructor(url: string, protocols?: string | string[]) {
    super(url, protocols, { perMessageDeflate: false });
  }
}

interface PartyMessage {
  readonly data: ArrayBuffer | string;
}

async function join(host: string, room: string): Promise<PairSocket> {
  const socket = new PartySocket({ host, party: "relay", room, WebSocket: PlainWebSocket });
  socket.binaryType = "arraybuffer";
  await once(socket, "open");
  return {
    send: (message) => {
      // The benchmark's messages are in memory that no other thread shares.
      socket.send(message as Uint8Array<ArrayBuffer> | string);
    },
    onMessage: (hear) => {
      socket.addEventListener("message", ({ data }: PartyMessage) => {
        hear(data);
      });
    },
  };
}

/** A stream has a room for itself; so has the echo. */
async function roomsOf({ url }: Dial, pair: string): Promise<SocketPair> {
  return { stream: await join(url, `stream-${pair}`), echo: await join(url, `echo-${pair}`) };
}

export async function connectSender(dial: Dial): Promise<SendingEnd> {
  return senderOn(await roomsOf(dial, `${dial.name}-${dial.peer}`));
}

export async function connectReceiver(dial: Dial): Promise<ReceivingEnd> {
  return receiverOn(await roomsOf(dial, `${dial.peer}-${dial.name}`));
}
