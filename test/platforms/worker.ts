import { Miniflare } from "miniflare";
import { bundledWorker, compatibility } from "../../scripts/router.ts";
import type { Target } from "./pages.ts";

/** Runs `talk` inside a Worker, as a deployed one would. */
export async function runInWorker(file: string, target: Target): Promise<string> {
  const worker = new Miniflare({
    workers: [
      {
        config: {
          name: "client",
          ...compatibility,
          manifest: {
            mainModule: "worker.js",
            modules: { "worker.js": { type: "esm", contents: await bundledWorker(file) } },
          },
        },
      },
    ],
  });
  try {
    const response = await worker.dispatchFetch("http://worker.test/", {
      method: "POST",
      body: JSON.stringify(target),
    });
    return await response.text();
  } finally {
    await worker.dispose();
  }
}
