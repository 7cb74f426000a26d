// Socket.IO's server: each client has a room of its name, and an event goes to the room that its first argument names.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Server } from "socket.io";
import parser from "socket.io-msgpack-parser";
import { announce } from "../../processes/answering.ts";

const http = createServer();
const io = new Server(http, {
  transports: ["websocket"],
  // Its documentation advises this for binary data: half the processor time for small messages, and half the delay.
  parser,
  perMessageDeflate: false,
  serveClient: false,
  // The default is less than the largest message that is measured.
  maxHttpBufferSize: 2_097_152,
});
io.on("connection", (socket) => {
  const name = String(socket.handshake.auth["name"]);
  void socket.join(name);
  socket.onAny((event: string, to: string, ...rest: readonly unknown[]) => {
    io.to(to).emit(event, name, ...rest);
  });
});
http.listen(0, "127.0.0.1", () => announce(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`));
