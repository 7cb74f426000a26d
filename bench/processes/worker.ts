import { Miniflare } from "miniflare";
import { bundledWorker, compatibility } from "../../scripts/router.ts";

/**
 * Starts a Worker with one class of Durable Objects, `Relay`, in a workerd of its own, as the router is started.
 *
 * @param name of the Worker.
 * @param file its source.
 * @param binding the name by which the Worker reaches its objects.
 */
export async function startWorker(name: string, file: string, binding: string): Promise<Miniflare> {
  const modules = { "worker.js": { type: "esm", contents: await bundledWorker(file) } } as const;
  const miniflare = new Miniflare({
    host: "127.0.0.1",
    port: 0,
    workers: [
      {
        config: {
          name,
          ...compatibility,
          manifest: { mainModule: "worker.js", modules },
          env: { [binding]: { type: "durable-object", worker: name, exportName: "Relay" } },
          exports: { Relay: { type: "durable-object", storage: "sqlite" } },
        },
      },
    ],
  });
  await miniflare.ready;
  return miniflare;
}
