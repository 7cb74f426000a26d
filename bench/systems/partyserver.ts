import { join } from "node:path";
import { Miniflare } from "miniflare";
import { bundledWorker, compatibility } from "../../scripts/router.ts";
import { installedPackages, peersFolder } from "./installed.ts";
import { startedProcess } from "./processes.ts";
import type { RunningSystem, System } from "./system.ts";

const name = "partyserver";

/** What people use to write servers of WebSockets on Durable Objects, and its client. */
export const partyserver: System = { name, title: "PartyServer", start };

async function start(): Promise<RunningSystem> {
  const version = installedPackages("partyserver", "partysocket");
  const [miniflare, processId] = await startedProcess("workerd", () => startParties());
  const { host } = await miniflare.ready;
  return {
    version,
    processIds: [processId],
    end: { module: join(peersFolder, "ends", "partyserver-end.ts") },
    dial: (_role, own, peer) => Promise.resolve({ url: host, name: own, secret: "", peer }),
    [Symbol.asyncDispose]: () => miniflare.dispose(),
  };
}

/** Started as the router is: a workerd of its own, reached in the same way. */
async function startParties(): Promise<Miniflare> {
  const contents = await bundledWorker(join(peersFolder, "servers", "partyserver-worker.ts"));
  const miniflare = new Miniflare({
    host: "127.0.0.1",
    port: 0,
    workers: [
      {
        config: {
          name,
          ...compatibility,
          manifest: { mainModule: "worker.js", modules: { "worker.js": { type: "esm", contents } } },
          env: { Relay: { type: "durable-object", worker: name, exportName: "Relay" } },
          exports: { Relay: { type: "durable-object", storage: "sqlite" } },
        },
      },
    ],
  });
  await miniflare.ready;
  return miniflare;
}
