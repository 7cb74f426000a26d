import { routerLimits } from "@messagepasser/protocol";
import type { Unconfirmed } from "@messagepasser/protocol/admin";
import type { Env } from "../env.ts";
import { objectOf } from "./objects.ts";
import type { SharedChanges, SharedStore } from "./shared-store.ts";

/** An object, as the first shard tells it what all shards share. */
export interface ToldObject {
  /** @returns the version that the object has then */
  takeShared(changes: SharedChanges): number | Promise<number>;
}

/** Tells a shard, which answers the version that it has then. Rejects if the shard can't be reached. */
type Teller = (shard: number, changes: SharedChanges) => Promise<number>;

export function tellerOf(env: Env, realm: string): Teller {
  return async (shard, changes) => {
    // The types of RPC don't know the object's methods. A stub that has failed once is of no use any more.
    const object = objectOf(env, realm, shard) as unknown as ToldObject;
    return await object.takeShared(changes);
  };
}

/** Where it is stored which version each other shard has confirmed. */
const key = "sharedWith";

/** Tells the other shards of a realm what all of them share. Only the first shard has others to tell. */
export class Sharing {
  readonly #kv: SyncKvStorage;
  readonly #store: SharedStore;
  readonly #tell: Teller;

  constructor(kv: SyncKvStorage, store: SharedStore, tell: Teller) {
    this.#kv = kv;
    this.#store = store;
    this.#tell = tell;
  }

  /** From now on the realm has this many shards, this one included: each is told everything that it lacks. */
  shareAmong(count: number): void {
    const confirmed = this.#confirmed;
    this.#kv.put(
      key,
      Array.from({ length: count - 1 }, (_, at) => confirmed[at] ?? 0),
    );
  }

  /** Tells one shard all that it lacks, also one that the realm does not count yet. Rejects if it does not confirm. */
  async tell(shard: number): Promise<void> {
    for (let known = this.#confirmed[shard - 1] ?? 0; known < this.#store.version;) {
      const answer = await this.#tell(shard, this.#store.changesAfter(known));
      if (answer === known) throw new Error(`Shard ${shard} does not take what all shards share`);
      if (answer > this.#store.version) this.#store.raiseAbove(answer);
      known = answer;
      this.#noteConfirmed(shard, known);
    }
  }

  /**
   * Tells all shards what they lack.
   *
   * @returns those that have not confirmed it within about a second. They are told all the same.
   */
  async tellAll(): Promise<number[]> {
    const { version } = this.#store;
    const behind = this.#behind(version);
    if (behind.length === 0) return [];
    const { promise: isLate, resolve } = Promise.withResolvers<undefined>();
    const timer = setTimeout(resolve, routerLimits.confirmWithinMs, undefined);
    const told = behind.map((shard) =>
      this.tell(shard).catch((error: unknown) => {
        console.warn(`Cannot tell shard ${shard} what all shards share: the alarm tries again`, error);
      }),
    );
    await Promise.race([Promise.all(told), isLate]);
    clearTimeout(timer);
    return this.#behind(version);
  }

  /** The shards that lack a change now. */
  get unconfirmed(): Unconfirmed {
    return unconfirmedIn(this.#behind(this.#store.version));
  }

  /** As `Alarms` asks it. */
  get isBehind(): boolean {
    return this.#behind(this.#store.version).length > 0;
  }

  async copyPending(): Promise<boolean> {
    return (await this.tellAll()).length === 0;
  }

  /** The shards that have not confirmed a version. */
  #behind(version: number): number[] {
    return this.#confirmed.flatMap((confirmed, at) => (confirmed < version ? [at + 1] : []));
  }

  /** The versions that the other shards have confirmed, in their order. */
  get #confirmed(): readonly number[] {
    return this.#kv.get<readonly number[]>(key) ?? [];
  }

  #noteConfirmed(shard: number, version: number): void {
    const confirmed = this.#confirmed;
    // The realm may not count the shard yet.
    if (shard <= confirmed.length) this.#kv.put(key, confirmed.with(shard - 1, version));
  }
}

/** As an owner is told it. @param shards those that have not confirmed a change */
export function unconfirmedIn(shards: readonly number[]): Unconfirmed {
  return shards.length === 0 ? {} : { unconfirmedShards: shards };
}
