import { join } from "node:path";
import { build } from "esbuild";
import { Miniflare } from "miniflare";
import { compatibility } from "../scripts/router.ts";

const name = "relay";

export interface Relay extends AsyncDisposable {
  readonly url: URL;
}

/** Starts the opaque relay as the router is started: a workerd of its own, reached in the same way. */
export async function startRelay(): Promise<Relay> {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, "relay-worker.ts")],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    external: ["cloudflare:*"],
    logLevel: "warning",
  });
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
            modules: { "relay-worker.js": { type: "esm", contents: outputFiles[0]?.text ?? "" } },
          },
          env: { RELAY: { type: "durable-object", worker: name, exportName: "Relay" } },
          exports: { Relay: { type: "durable-object", storage: "sqlite" } },
        },
      },
    ],
  });
  const url = await miniflare.ready;
  url.protocol = "ws:";
  return { url, [Symbol.asyncDispose]: () => miniflare.dispose() };
}
