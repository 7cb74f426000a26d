import { join } from "node:path";
import { installedPackages, peersFolder } from "./installed.ts";
import { startedProcess } from "./processes.ts";
import type { RunningSystem, System } from "./system.ts";
import { startWorker } from "./worker-process.ts";

const name = "partyserver";

/** What people use to write servers of WebSockets on Durable Objects, and its client. */
export const partyserver: System = { name, title: "PartyServer", start };

async function start(): Promise<RunningSystem> {
  const version = installedPackages("partyserver", "partysocket");
  // Its library finds the class by the binding's name.
  const worker = { name, file: join(peersFolder, "servers", "partyserver-worker.ts"), binding: "Relay" };
  const [miniflare, processId] = await startedProcess("workerd", () => startWorker(worker));
  const { host } = await miniflare.ready;
  return {
    version,
    processIds: [processId],
    end: { module: join(peersFolder, "ends", "partyserver-end.ts") },
    dial: (_role, own, peer) => Promise.resolve({ url: host, name: own, secret: "", peer }),
    [Symbol.asyncDispose]: () => miniflare.dispose(),
  };
}
