import { limits } from "@messagepasser/protocol";
import { Quota, type QuotaTotal } from "../connection/quota.ts";
import type { Path } from "../connection/path.ts";

/** The `Path` to each peer, by the peer's name. A path outlives the peer's sessions. */
export class Paths {
  readonly #paths = new Map<string, Path>();
  readonly #kept: QuotaTotal = { bytes: 0, maxBytes: limits.maxUnacknowledgedBytes };
  readonly #uncounted: QuotaTotal = { bytes: 0, maxBytes: limits.maxUncountedBytes };

  to(peer: string): Path {
    let path = this.#paths.get(peer);
    if (path === undefined) {
      // Measured anew for all: better than to keep what was true for peers of long ago.
      if (this.#paths.size >= limits.maxRememberedSessions) this.#paths.clear();
      path = { roundTrip: { ms: Infinity }, kept: new Quota(this.#kept), uncounted: new Quota(this.#uncounted) };
      this.#paths.set(peer, path);
    }
    return path;
  }
}
