// Socket.IO's server: each client has a room of its name, and an event goes to the room that its first argument names.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Server } from "socket.io";
import parser from "socket.io-msgpack-parser";

const http = createServer();
const io = new Server(http, {
  transports: ["websocket"],
  // What its documentation advises for binary data: half the processor time for small messages, and half the delay.
  parser,
  perMessageDeflate: false,
  serveClient: false,
  // Its default is less than the largest message that is measured.
  maxHttpBufferSize: 2_097_152,
});
io.on("connection", (socket) => {
  const name = String(socket.handshake.auth["name"]);
  void socket.join(name);
  socket.onAny((event: string, to: string, ...rest: readonly unknown[]) => {
    io.to(to).emit(event, name, ...rest);
  });
});
http.listen(0, "127.0.0.1", () => {
  const { port } = http.address() as AddressInfo;
  console.log(`ws://127.0.0.1:${port}`);
});
// Nobody is there any more who could end this process.
process.stdin.resume().on("end", () => process.exit());
