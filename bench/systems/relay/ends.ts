// The ends on an opaque relay: the package `ws` alone, in batches as large as those of the router's client.
import type { Buffer } from "node:buffer";
import { once } from "node:events";
import WebSocket from "ws";
import { pairedEnds } from "../socket-pair.ts";

/** A full batch of the client. A larger message travels alone: nothing here would split it. */
const batchBytes = 131_072;

export const { connectSender, connectReceiver } = pairedEnds(async (url, room) => {
  const socket = new WebSocket(new URL(room, url).href, {
    perMessageDeflate: false,
    // As the client does it within a machine.
    generateMask: (mask) => mask.fill(0),
  });
  await once(socket, "open");
  return {
    send: (message) => socket.send(message),
    onMessage: (hear) => {
      socket.on("message", (message: Buffer, isBinary) => hear(isBinary ? message : message.toString()));
    },
  };
}, batchBytes);
