import { join } from "node:path";
import type { Miniflare } from "miniflare";
import { startWorker } from "../../processes/worker.ts";
import { type System, workerSystem } from "../system.ts";

const worker = join(import.meta.dirname, "relay-worker.ts");
const binding = "RELAY";

/** No router can do less than this on the same runtime. */
export const relay: System = workerSystem({
  name: "relay",
  title: "opaque relay on workerd",
  folder: import.meta.dirname,
  version: () => "a bare Durable Object",
  worker,
  binding,
});

/** A relay of its own, for scenarios that start and end one. */
export async function startRelay(): Promise<Miniflare> {
  return await startWorker("relay", worker, binding);
}
