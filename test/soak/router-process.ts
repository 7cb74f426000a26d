// The router of the soak, in a process of its own that can be killed. Started by router.ts, which it talks with.
import { readFileSync } from "node:fs";
import { type Router, startRouter } from "../../scripts/router.ts";
import type { FromRouter, RouterStart, ToRouter } from "./calls.ts";

let router: Router | undefined;

async function start({ port, workerFile, stateDirectory }: RouterStart): Promise<void> {
  router = await startRouter({ port, stateDirectory, worker: readFileSync(workerFile, "utf8") });
  tell({ kind: "ready", adminToken: router.adminToken });
}

async function evict(id: number, webSockets: "hibernate" | "close", shard: number): Promise<void> {
  try {
    await router?.evict(webSockets, shard);
    tell({ kind: "evicted", id });
  } catch (error) {
    tell({ kind: "evicted", id, error: String(error) });
  }
}

async function leave(): Promise<void> {
  await router?.[Symbol.asyncDispose]();
  process.exit(0);
}

function tell(message: FromRouter): void {
  process.send?.(message);
}

// Only router.ts writes to this channel. A failure to start ends the process: its exit tells.
process.on("message", (message: ToRouter) => {
  if (message.kind === "start") void start(message.start);
  else void evict(message.id, message.webSockets, message.shard);
});
process.on("disconnect", () => void leave());
process.on("SIGINT", () => undefined);
