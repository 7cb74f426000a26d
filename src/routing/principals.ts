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
  /** Bytes that the principal has sent to the links of others, and that are unread there. Those of its guests count here too. */
  causedBytes = 0;
  /** The principals that flooded a link of this account, and may not pair with one for a while. */
  readonly bars = new Map<Account, Bar>();
  /** Closed links whose sockets are still there. */
  closingLinks = 0;
  /** Links that are neither closed nor gone, as far as they were looked up since the object woke. */
  links = 0;
  /** Watches of all links, as far as they are known since the object woke. */
  watches = 0;
  /** Links with a mark that was answered or sent lately. */
  busyLinks = 0;
  /** The rate of opens, resumes, checks and lists. */
  readonly opens = new TokenBucket(limits.maxOpensAtOnce, limits.maxOpensPerSecond);
  /** The rate of new links. */
  readonly joins = new TokenBucket(routerLimits.maxJoinsAtOnce, routerLimits.maxJoinsPerSecond);
  /** The rate of sessions that come or change what they serve, as watchers are told. */
  readonly changes = new TokenBucket(routerLimits.maxToldChangesAtOnce, routerLimits.maxToldChangesPerSecond);

  /** What this account shares with the other holders of the same key's tokens. */
  readonly group: Group | undefined;

  /**
   * @param host the account of the client that invited the guests; absent for a client's own account
   * @param group of the holder of a token
   */
  constructor(host?: Account, group?: Group) {
    this.principal = host ?? this;
    this.group = group;
  }

  get isOfGuests(): boolean {
    return this.principal !== this;
  }

  get isIdle(): boolean {
    return this.links === 0 && this.watches === 0 && this.closingLinks === 0 && this.bars.size === 0;
  }

  /**
   * The account that pays for what one link sends to another: its principal's, whichever of its sessions and guests it is.
   * Only between links of one principal do guests pay from an account of their own.
   */
  payerTo(receiver: Account): Account {
    return this.principal === receiver.principal ? this : this.principal;
  }

  /** Keeps a principal, which flooded a link of this account, away for a while: each time four times as long. */
  bar(payer: Account, nowMs: number): void {
    const { firstBarMs, maxBarMs } = routerLimits;
    // Bars that are over are no longer needed.
    for (const [other, { untilMs }] of this.bars) if (nowMs > untilMs + maxBarMs) this.bars.delete(other);
    const durationMs = Math.min(4 * (this.bars.get(payer)?.durationMs ?? firstBarMs / 4), maxBarMs);
    this.bars.set(payer, { untilMs: nowMs + durationMs, durationMs });
  }
}

/**
 * What the holders of tokens of one key share. Each has an account of its own, but an application may let anybody have many
 * names: together they are bounded too.
 */
export class Group {
  /** Bytes that their links hold in memory, because they were sent and not read. */
  heldBytes = 0;
  /** The rate of new links. */
  readonly joins = new TokenBucket(routerLimits.maxHolderJoinsAtOnce, routerLimits.maxHolderJoinsPerSecond);
}

/** Whether a link of one account flooded one of the other not long ago, so that two such links may not pair. */
export function areBarred(one: Account, other: Account, nowMs: number): boolean {
  return isBarred(one, other, nowMs) || isBarred(other, one, nowMs);
}

function isBarred(from: Account, to: Account, nowMs: number): boolean {
  const bar = to.bars.get(from.payerTo(to));
  return bar !== undefined && bar.untilMs > nowMs;
}

interface Bar {
  readonly untilMs: number;
  readonly durationMs: number;
}

/** What tells whose link it is. */
interface Joining {
  readonly name: string;
  /** Of a guest: what it may do. */
  readonly grant?: { readonly host: string } | undefined;
  /** Of the holder of a token: the id of its key. */
  readonly token?: { readonly key: string } | undefined;
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
  readonly #groups = new Map<string, Group>();
  #sweepAt: number = routerLimits.maxIdleAccounts;

  /** The account that a link counts on. */
  of({ name, grant, token }: Joining): Account {
    if (grant === undefined) return this.#accountsOf(name, token && this.#groupOf(token.key)).own;
    const accounts = this.#accountsOf(grant.host);
    return (accounts.guests ??= new Account(accounts.own));
  }

  #groupOf(key: string): Group {
    let group = this.#groups.get(key);
    if (group === undefined) this.#groups.set(key, (group = new Group()));
    return group;
  }

  #accountsOf(name: string, group?: Group): Accounts {
    let accounts = this.#byName.get(name);
    if (accounts === undefined) {
      if (this.#byName.size >= this.#sweepAt) this.#sweep();
      accounts = { own: new Account(undefined, group) };
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
