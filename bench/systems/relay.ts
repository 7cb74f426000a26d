import { join } from "node:path";
import type { Miniflare } from "miniflare";
import { startedProcess } from "./processes.ts";
import type { RunningSystem, System } from "./system.ts";
import { startWorker } from "./worker-process.ts";

/** No router can be faster than this on the same runtime, whatever its ends do: see relay-worker.ts. */
export const relay: System = {
  name: "relay",
  title: "opaque relay on workerd",
  start: () => start(startRelay, "relay-end.ts"),
};

/** The same between our own clients, so that what it is given are the router's batches: see batch-relay-worker.ts. */
export const batchRelay: System = {
  name: "batch-relay",
  title: "opaque relay on workerd, same batches",
  start: () => start(() => startRelayOf("batch-relay-worker.ts"), "router-end.ts"),
};

async function start(startWorkerd: () => Promise<Miniflare>, end: string): Promise<RunningSystem> {
  const [miniflare, processId] = await startedProcess("workerd", startWorkerd);
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

/** Of its own, for scenarios that start and end it. */
export async function startRelay(): Promise<Miniflare> {
  return await startRelayOf("relay-worker.ts");
}

async function startRelayOf(file: string): Promise<Miniflare> {
  return await startWorker({ name: "relay", file: join(import.meta.dirname, file), binding: "RELAY" });
}
