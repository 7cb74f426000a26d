import { Miniflare } from "miniflare";
import { bundledWorker, compatibility } from "../../scripts/router.ts";

/** A Worker with one class of Durable Objects, `Relay`. */
interface RelayWorker {
  readonly name: string;
  /** Its code. */
  readonly file: string;
  /** What it calls its objects by. */
  readonly binding: string;
}

/** Starts a Worker as the router is: in a workerd of its own, reached in the same way. */
export async function startWorker({ name, file, binding }: RelayWorker): Promise<Miniflare> {
  const contents = await bundledWorker(file);
  const miniflare = new Miniflare({
    host: "127.0.0.1",
    port: 0,
    workers: [
      {
        config: {
          name,
          ...compatibility,
          manifest: { mainModule: "worker.js", modules: { "worker.js": { type: "esm", contents } } },
          env: { [binding]: { type: "durable-object", worker: name, exportName: "Relay" } },
          exports: { Relay: { type: "durable-object", storage: "sqlite" } },
        },
      },
    ],
  });
  await miniflare.ready;
  return miniflare;
}
