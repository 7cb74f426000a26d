import { join } from "node:path";
import { type System, workerSystem } from "../system.ts";

/** The opaque relay between the router's own clients, so that it passes on the same batches as the router. */
export const batchRelay: System = workerSystem({
  name: "batch-relay",
  title: "opaque relay on workerd, same batches",
  folder: import.meta.dirname,
  version: () => "a bare Durable Object",
  worker: join(import.meta.dirname, "batch-relay-worker.ts"),
  binding: "RELAY",
  end: { module: join(import.meta.dirname, "../router/ends.ts") },
});
