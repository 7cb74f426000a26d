import { join } from "node:path";
import { bundledWorker, type Router, startRouter } from "../../scripts/router.ts";

/** Starts a router with an authenticator that believes every client: without KV and rate limits, and without their simulators. */
export async function startTrustingRouter(): Promise<Router> {
  const authenticator = join(import.meta.dirname, "open-authenticator.ts");
  const worker = await bundledWorker(undefined, { "./authenticator.ts": authenticator });
  return await startRouter({ worker, connectsPer10s: Infinity });
}
