import { clientLimits, limits } from "@messagepasser/protocol";
import { Assemblies } from "../connection/assemblies.ts";
import { type Budget, Share } from "../connection/budget.ts";
import { Leftovers } from "../connection/leftovers.ts";
import type { Account, Path } from "../connection/path.ts";
import type { Downlink } from "../link/downlink.ts";
import { Quota, type QuotaTotal } from "../connection/quota.ts";

/** What is kept for a principal. */
interface Kept {
  readonly account: Account;
  readonly quotas: readonly Quota[];
}

/** The `Path` to each peer, by the peer's name. A path outlives the peer's sessions. */
export class Paths {
  readonly #budget: Budget;
  readonly #downlink: Downlink;
  readonly #paths = new Map<string, Path>();
  /** By the name of the principal. */
  readonly #accounts = new Map<string, Kept>();
  readonly #kept = totalOf(limits.maxUnacknowledgedBytes);
  readonly #uncounted = totalOf(limits.maxUncountedBytes);
  readonly #undecided = totalOf(limits.maxPendingFirstBytes);
  readonly #batches = totalOf(clientLimits.maxHeldBatchBytes);
  readonly #unfinished = totalOf(clientLimits.maxUnfinishedBytes);
  readonly #leftovers = totalOf(clientLimits.maxLeftoverBytes);

  /** @param budget what the client may grant to all its peers. @param downlink what its link is a reason to grant. */
  constructor(budget: Budget, downlink: Downlink) {
    this.#budget = budget;
    this.#downlink = downlink;
  }

  to(peer: string): Path {
    let path = this.#paths.get(peer);
    if (path === undefined) {
      if (this.#paths.size >= limits.maxRememberedSessions) this.#forget();
      path = { roundTrip: { ms: Infinity }, downlink: this.#downlink, account: this.#accountOf(peer) };
      this.#paths.set(peer, path);
    }
    return path;
  }

  /** Round trips are measured anew: better than to keep what was true for peers of long ago. What is held still counts. */
  #forget(): void {
    this.#paths.clear();
    for (const [principal, { account, quotas }] of this.#accounts)
      if (account.connections === 0 && account.budget.isEmpty && quotas.every(({ isEmpty }) => isEmpty))
        this.#accounts.delete(principal);
  }

  #accountOf(peer: string): Account {
    // A guest's name begins with that of the client that invited it.
    const [principal = ""] = peer.split("/", 1);
    const known = this.#accounts.get(principal);
    if (known !== undefined) return known.account;
    const quotas: Quota[] = [];
    const quotaOf = (total: QuotaTotal): Quota => {
      const quota = new Quota(total);
      quotas.push(quota);
      return quota;
    };
    const budget = new Share(this.#budget);
    const account: Account = {
      budget,
      kept: quotaOf(this.#kept),
      uncounted: quotaOf(this.#uncounted),
      undecided: quotaOf(this.#undecided),
      pendingOpens: 0,
      connections: 0,
      batches: quotaOf(this.#batches),
      assemblies: new Assemblies(quotaOf(this.#unfinished)),
      leftovers: new Leftovers(budget, quotaOf(this.#leftovers)),
    };
    this.#accounts.set(principal, { account, quotas });
    return account;
  }
}

function totalOf(maxBytes: number): QuotaTotal {
  return { bytes: 0, maxBytes };
}
