import { join } from "node:path";
import { compiled } from "../compiled.ts";
import { installedPackages, peersFolder } from "./installed.ts";
import { startServer } from "./server-process.ts";
import type { RunningSystem, System } from "./system.ts";

/** Events over WebSocket. Its server hands each on to the one that it is meant for: see socket-io-server.ts. */
export const socketIo: System = { name: "socket-io", title: "Socket.IO", start };

async function start(): Promise<RunningSystem> {
  const version = installedPackages("socket.io", "socket.io-client", "socket.io-msgpack-parser");
  const server = await startServer(
    [process.execPath, compiled(join(peersFolder, "servers", "socket-io-server.ts"))],
    /ws:\S+/,
  );
  return {
    version,
    processIds: [server.id],
    end: { module: join(peersFolder, "ends", "socket-io-end.ts") },
    dial: (_role, name, peer) => Promise.resolve({ url: server.address, name, secret: "", peer }),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
