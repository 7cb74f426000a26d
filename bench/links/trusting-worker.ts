import { join } from "node:path";
import { bundledWorker } from "../../scripts/router.ts";

/** The Worker with an authenticator that takes everybody at their word: what it costs without asking KV. */
export async function trustingWorker(): Promise<string> {
  return await bundledWorker(undefined, { "./authenticator.ts": join(import.meta.dirname, "open-authenticator.ts") });
}
