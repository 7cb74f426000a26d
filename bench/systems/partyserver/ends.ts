// The ends on PartyServer: its client, used as any program would use it.
import { once } from "node:events";
import { PartySocket } from "partysocket";
import WebSocket from "ws";
import { pairedEnds } from "../socket-pair.ts";

/** On Node its documentation uses the package `ws`. workerd would compress if it were asked to. */
class PlainWebSocket extends WebSocket {
  constructor(url: string, protocols?: string | string[]) {
    super(url, protocols, { perMessageDeflate: false });
  }
}

interface PartyMessage {
  readonly data: ArrayBuffer | string;
}

export const { connectSender, connectReceiver } = pairedEnds(async (url, room) => {
  const socket = new PartySocket({ host: new URL(url).host, party: "relay", room, WebSocket: PlainWebSocket });
  socket.binaryType = "arraybuffer";
  await once(socket, "open");
  return {
    // No other thread shares the memory of the benchmark's messages.
    send: (message) => socket.send(message as Uint8Array<ArrayBuffer> | string),
    onMessage: (hear) => socket.addEventListener("message", ({ data }: PartyMessage) => hear(data)),
  };
});
