// What relay-worker.ts is, in Node: hands each message, unread, to the other socket of the same path.
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { announce } from "../../processes/answering.ts";

const waiting = new Map<string, WebSocket>();

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
server.on("connection", (socket, { url = "/" }) => {
  const other = waiting.get(url);
  if (other === undefined) {
    waiting.set(url, socket);
    return;
  }
  waiting.delete(url);
  forward(socket, other);
  forward(other, socket);
});
server.on("listening", () => announce(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`));

function forward(from: WebSocket, to: WebSocket): void {
  from.on("message", (message, isBinary) => to.send(message, { binary: isBinary }));
  from.on("close", () => to.close());
}
