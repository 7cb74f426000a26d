import { join } from "node:path";
import type { Miniflare } from "miniflare";
import { startedProcess } from "./processes.ts";
import type { RunningSystem, System } from "./system.ts";
import { startWorker } from "./worker-process.ts";

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

/** Of its own, for scenarios that start and end it. */
export async function startRelay(): Promise<Miniflare> {
  return await startWorker({ name, file: join(import.meta.dirname, "relay-worker.ts"), binding: "RELAY" });
}
