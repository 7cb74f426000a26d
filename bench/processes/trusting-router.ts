import { join } from "node:path";
import { bundledWorker, type Router, startRouter } from "../../scripts/router.ts";

/** What `bundledWorker` takes instead of the router's authenticator: one that believes every client. */
export const openAuthenticator = { "./authenticator.ts": join(import.meta.dirname, "open-authenticator.ts") };

/** Starts a router that believes every client: without KV and rate limits, and without their simulators. */
export async function startTrustingRouter(): Promise<Router> {
  const worker = await bundledWorker(undefined, openAuthenticator);
  return await startRouter({ worker, connectsPer10s: Infinity });
}
