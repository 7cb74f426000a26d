// The router of the soak, in a process of its own that can be killed. Started by router.ts, which it talks with.
import { readFileSync } from "node:fs";
import { Miniflare } from "miniflare";
import { compatibility } from "../../scripts/router.ts";
import type { FromRouter, RouterStart, ToRouter } from "./calls.ts";

export const realm = "default";
const name = "messagepasser";
const className = "RouterObject";
let miniflare: Miniflare | undefined;

/** As scripts/router.ts does, but for the Worker. */
async function start({ port, workerFile, stateDirectory, adminToken, pepper }: RouterStart): Promise<void> {
  miniflare = new Miniflare({
    host: "127.0.0.1",
    port,
    resourcePersistencePath: stateDirectory,
    workers: [
      {
        config: {
          name,
          ...compatibility,
          manifest: {
            mainModule: "worker.js",
            modules: { "worker.js": { type: "esm", contents: readFileSync(workerFile, "utf8") } },
          },
          env: {
            ROUTER: { type: "durable-object", worker: name, exportName: className },
            CREDENTIALS: { type: "kv", id: "CREDENTIALS" },
            MP_ADMIN_TOKEN: { type: "text", value: adminToken },
            MP_PEPPER: { type: "text", value: pepper },
          },
          exports: { [className]: { type: "durable-object", storage: "sqlite" } },
        },
      },
    ],
  });
  tell({ kind: "ready", url: (await miniflare.ready).origin });
}

async function evict(id: number, webSockets: "hibernate" | "close"): Promise<void> {
  try {
    await miniflare?.unsafeEvictDurableObject(name, className, { name: realm, webSockets });
    tell({ kind: "evicted", id });
  } catch (error) {
    tell({ kind: "evicted", id, error: String(error) });
  }
}

async function leave(): Promise<void> {
  await miniflare?.dispose();
  process.exit(0);
}

function tell(message: FromRouter): void {
  process.send?.(message);
}

// Only router.ts writes to this channel. A failure to start ends the process: its exit tells.
process.on("message", (message: ToRouter) => {
  if (message.kind === "start") void start(message.start);
  else void evict(message.id, message.webSockets);
});
process.on("disconnect", () => void leave());
process.on("SIGINT", () => undefined);
