import { join } from "node:path";
import { Miniflare } from "miniflare";
import { bundledWorker, compatibility } from "../../scripts/router.ts";
import { startedProcess } from "./processes.ts";
import type { RunningSystem, System } from "./system.ts";

const name = "relay";

/** No router can be faster than this on the same runtime: see relay-worker.ts. */
export const relay: System = { name, title: "opaque relay on workerd", start };

async function start(): Promise<RunningSystem> {
  const [miniflare, processId] = await startedProcess("workerd", () => startRelay());
  const url = await miniflare.ready;
  url.protocol = "ws:";
  return {
    version: "a bare Durable Object",
    processIds: [processId],
    end: { module: join(import.meta.dirname, "..", "ends", "relay-end.ts") },
    dial: (_role, own, peer) => Promise.resolve({ url: url.href, name: own, secret: "", peer }),
    [Symbol.asyncDispose]: () => miniflare.dispose(),
  };
}

/** Started as the router is: a workerd of its own, reached in the same way. */
export async function startRelay(): Promise<Miniflare> {
  const miniflare = new Miniflare({
    host: "127.0.0.1",
    port: 0,
    workers: [
      {
        config: {
          name,
          ...compatibility,
          manifest: {
            mainModule: "relay-worker.js",
            modules: {
              "relay-worker.js": {
                type: "esm",
                contents: await bundledWorker(join(import.meta.dirname, "relay-worker.ts")),
              },
            },
          },
          env: { RELAY: { type: "durable-object", worker: name, exportName: "Relay" } },
          exports: { Relay: { type: "durable-object", storage: "sqlite" } },
        },
      },
    ],
  });
  await miniflare.ready;
  return miniflare;
}
