import { join } from "node:path";
import { bundledWorker, type Router, startRouter } from "../../scripts/router.ts";

/** Starts a router with an authenticator that believes every client: the router without KV, and without its simulator. */
export async function startTrustingRouter(): Promise<Router> {
  const authenticator = join(import.meta.dirname, "open-authenticator.ts");
  const worker = await bundledWorker(undefined, { "./authenticator.ts": authenticator });
  return await startRouter({ worker, connectsPer10s: 1e9 });
}
