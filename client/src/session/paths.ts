import { limits } from "@messagepasser/protocol";
import { Kept, type KeptTotal } from "../connection/budget.ts";
import type { Way } from "../connection/channel-start.ts";

/** What the channels of a client with each of its peers share, by the peer's name: it outlives the peer's sessions. */
export class Ways {
  readonly #ways = new Map<string, Way>();
  readonly #kept: KeptTotal = { bytes: 0, maxBytes: limits.maxUnacknowledgedBytes };
  readonly #uncounted: KeptTotal = { bytes: 0, maxBytes: limits.maxUncountedBytes };

  to(peer: string): Way {
    let way = this.#ways.get(peer);
    if (way === undefined) {
      // Measured anew for all: better than to keep what was true for peers of long ago.
      if (this.#ways.size >= limits.maxRememberedSessions) this.#ways.clear();
      way = { roundTrip: { ms: Infinity }, kept: new Kept(this.#kept), uncounted: new Kept(this.#uncounted) };
      this.#ways.set(peer, way);
    }
    return way;
  }
}
