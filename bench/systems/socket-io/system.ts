import { installedPackages, serverSystem, type System } from "../system.ts";

/** Events over WebSocket. The server passes each event on to the client that it names. */
export const socketIo: System = serverSystem({
  name: "socket-io",
  title: "Socket.IO",
  folder: import.meta.dirname,
  version: () => installedPackages("socket.io", "socket.io-client", "socket.io-msgpack-parser"),
});
