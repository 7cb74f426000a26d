import { limits, routerLimits } from "@messagepasser/protocol";
import { TokenBucket } from "./token-bucket.ts";

/**
 * What a principal costs the router: one account for all links of a client, and one for the links of its guests together,
 * so that guests don't use up what their host may do. Links that closed count until their sockets are gone.
 */
export class Account {
  /** The account of the client that answers for the links: for guests that of their host. */
  readonly principal: Account;
  /** Bytes that the links hold in memory, because they were sent and not read. */
  heldBytes = 0;
  /** The part of `heldBytes` that closed links hold. Only the ends of their sockets free it. */
  closingBytes = 0;
  /** Closed links whose sockets are still there. */
  closingLinks = 0;
  /** Links that are neither closed nor gone, as far as they were looked up since the object woke. */
  links = 0;
  /** Links with a mark that was answered or sent lately. */
  busyLinks = 0;
  /** The rate of opens, resumes, checks and lists. */
  readonly opens = new TokenBucket(limits.maxOpensAtOnce, limits.maxOpensPerSecond);
  /** The rate of new links. */
  readonly joins = new TokenBucket(routerLimits.maxJoinsAtOnce, routerLimits.maxJoinsPerSecond);

  /** @param host the account of the client that invited the guests; absent for a client's own account */
  constructor(host?: Account) {
    this.principal = host ?? this;
  }

  get isOfGuests(): boolean {
    return this.principal !== this;
  }

  get isIdle(): boolean {
    return this.links === 0 && this.closingLinks === 0;
  }
}

/** What tells whose link it is. */
interface Joining {
  readonly name: string;
  /** Of a guest: what it may do. */
  readonly grant?: { readonly host: string } | undefined;
}

/** The two accounts of a principal. */
interface Accounts {
  readonly own: Account;
  guests?: Account;
}

/**
 * The principals of a realm: a principal is a client with all its sessions and guests. All of this is in memory only. An
 * object sleeps after ten seconds in which no client sent anything: by then nobody waits, and rates have recovered.
 */
export class Principals {
  readonly #byName = new Map<string, Accounts>();
  #sweepAt: number = routerLimits.maxIdleAccounts;

  /** The account that a link counts on. */
  of({ name, grant }: Joining): Account {
    if (grant === undefined) return this.#accountsOf(name).own;
    const accounts = this.#accountsOf(grant.host);
    return (accounts.guests ??= new Account(accounts.own));
  }

  #accountsOf(name: string): Accounts {
    let accounts = this.#byName.get(name);
    if (accounts === undefined) {
      if (this.#byName.size >= this.#sweepAt) this.#sweep();
      accounts = { own: new Account() };
      this.#byName.set(name, accounts);
    }
    return accounts;
  }

  #sweep(): void {
    for (const [name, { own, guests }] of this.#byName)
      if (own.isIdle && guests?.isIdle !== false) this.#byName.delete(name);
    this.#sweepAt = Math.max(routerLimits.maxIdleAccounts, 2 * this.#byName.size);
  }
}
