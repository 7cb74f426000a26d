import { join } from "node:path";
import type { Miniflare } from "miniflare";
import { startedProcess } from "./processes.ts";
import type { RunningSystem, System } from "./system.ts";
import { startWorker } from "./worker-process.ts";

/** No router can do less than this on the same runtime: see relay-worker.ts. */
export const relay: System = {
  name: "relay",
  title: "opaque relay on workerd",
  start: () => start("relay-worker.ts", "relay-end.ts"),
};

/** The same between our own clients, so that what it is given are the router's batches: see batch-relay-worker.ts. */
export const batchRelay: System = {
  name: "batch-relay",
  title: "opaque relay on workerd, same batches",
  start: () => start("batch-relay-worker.ts", "router-end.ts"),
};

async function start(worker: string, end: string): Promise<RunningSystem> {
  const [miniflare, processId] = await startedProcess("workerd", () => startRelay(worker));
  const url = await miniflare.ready;
  url.protocol = "ws:";
  return {
    version: "a bare Durable Object",
    processIds: [processId],
    end: { module: join(import.meta.dirname, "..", "ends", end) },
    dial: (_role, own, peer) => Promise.resolve({ url: url.href, name: own, secret: "anything", peer }),
    [Symbol.asyncDispose]: () => miniflare.dispose(),
  };
}

/** One of its own, for scenarios that start and end it. @param worker the file of its code. */
export async function startRelay(worker = "relay-worker.ts"): Promise<Miniflare> {
  return await startWorker({ name: "relay", file: join(import.meta.dirname, worker), binding: "RELAY" });
}
