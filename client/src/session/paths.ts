import { clientLimits, limits } from "@messagepasser/protocol";
import { Assemblies } from "../connection/assemblies.ts";
import type { Budget } from "../connection/budget.ts";
import { Leftovers } from "../connection/leftovers.ts";
import type { Account, Path } from "../connection/path.ts";
import { Quota, type QuotaTotal } from "../connection/quota.ts";

/** The `Path` to each peer, by the peer's name. A path outlives the peer's sessions. */
export class Paths {
  readonly #budget: Budget;
  readonly #paths = new Map<string, Path>();
  /** By the name of the principal. */
  readonly #accounts = new Map<string, Account>();
  readonly #kept = totalOf(limits.maxUnacknowledgedBytes);
  readonly #uncounted = totalOf(limits.maxUncountedBytes);
  readonly #firsts = totalOf(limits.maxPendingFirstBytes);
  readonly #batches = totalOf(clientLimits.maxHeldBatchBytes);
  readonly #unfinished = totalOf(clientLimits.maxUnfinishedBytes);
  readonly #leftovers = totalOf(clientLimits.maxLeftoverBytes);

  /** @param budget what the client may grant to all its peers. */
  constructor(budget: Budget) {
    this.#budget = budget;
  }

  to(peer: string): Path {
    let path = this.#paths.get(peer);
    if (path === undefined) {
      if (this.#paths.size >= limits.maxRememberedSessions) this.#forget();
      path = { roundTrip: { ms: Infinity }, account: this.#accountOf(peer) };
      this.#paths.set(peer, path);
    }
    return path;
  }

  /** Measured anew for all: better than to keep what was true for peers of long ago. */
  #forget(): void {
    this.#paths.clear();
    // Nobody would take those out of the total.
    for (const { leftovers } of this.#accounts.values()) leftovers.clear();
    this.#accounts.clear();
  }

  #accountOf(peer: string): Account {
    // A guest's name begins with that of the client that invited it.
    const [principal = ""] = peer.split("/", 1);
    let account = this.#accounts.get(principal);
    if (account === undefined) {
      account = {
        kept: new Quota(this.#kept),
        uncounted: new Quota(this.#uncounted),
        firsts: new Quota(this.#firsts),
        batches: new Quota(this.#batches),
        assemblies: new Assemblies(new Quota(this.#unfinished)),
        leftovers: new Leftovers(this.#budget, new Quota(this.#leftovers)),
      };
      this.#accounts.set(principal, account);
    }
    return account;
  }
}

function totalOf(maxBytes: number): QuotaTotal {
  return { bytes: 0, maxBytes };
}
