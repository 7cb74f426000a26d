// What relay-worker.ts is, with the package `ws`: hands each message, unread, to the other socket of the same path.
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";

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
server.on("listening", () => {
  const { port } = server.address() as AddressInfo;
  console.log(`ws://127.0.0.1:${port}`);
});
// Nobody is there any more who could end this process.
process.stdin.resume().on("end", () => process.exit());

function forward(from: WebSocket, to: WebSocket): void {
  from.on("message", (message, isBinary) => {
    to.send(message, { binary: isBinary });
  });
  from.on("close", () => {
    to.close();
  });
}
