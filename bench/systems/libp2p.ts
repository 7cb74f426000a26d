import { join } from "node:path";
import { compiled } from "../compiled.ts";
import { installedPackages, peersFolder } from "./installed.ts";
import { startServer } from "./server-process.ts";
import type { RunningSystem, System } from "./system.ts";

/** Nodes that find a way to each other; here by a relay node, as MessagePasser's clients have the router. */
export const libp2p: System = { name: "libp2p", title: "libp2p", start };

async function start(): Promise<RunningSystem> {
  const version = installedPackages("libp2p", "@libp2p/circuit-relay-v2");
  const relay = await startServer(
    [process.execPath, compiled(join(peersFolder, "servers", "libp2p-relay.ts"))],
    /\/ip4\/\S+/,
  );
  return {
    version,
    processIds: [relay.id],
    end: { module: join(peersFolder, "ends", "libp2p-end.ts") },
    dial: (_role, name, peer) => Promise.resolve({ url: relay.address, name, secret: "", peer }),
    [Symbol.asyncDispose]: () => relay[Symbol.asyncDispose](),
  };
}
