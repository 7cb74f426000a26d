import { routerLimits } from "@messagepasser/protocol";
import type { RealmLayout, RealmLocation } from "@messagepasser/protocol/admin";

/** Where an object that is yet to be a shard stores what it is given. */
export interface Filling {
  /** How many shards the realm will have with it. */
  readonly count: number;
  /** Of the attempt to give it its rows: what belongs to another attempt is not taken. */
  readonly token: string;
}

const [countKey, targetKey, fillingKey] = ["shards", "shardsWanted", "shardFilling"];
const locationKey = "shardLocation";

/** How many shards the realm has, as one of their objects knows it, and what it knows of the others. */
export class LayoutStore {
  readonly #storage: DurableObjectStorage;
  #count: number;

  /** @throws Error for a layout that no object stores: nobody may have a home here then */
  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    const count = storage.kv.get(countKey) ?? 1;
    if (!Number.isInteger(count) || (count as number) < 1 || (count as number) > routerLimits.maxShards)
      throw new Error(`The object's layout is damaged: it has ${JSON.stringify(count)} shards`);
    this.#count = count as number;
  }

  /** 1 until the realm grows. */
  get count(): number {
    return this.#count;
  }

  set count(count: number) {
    this.#storage.kv.put(countKey, count);
    this.#count = count;
  }

  /** How many shards the realm is to have, while there are fewer. Only the first one knows it. */
  get target(): number | undefined {
    return this.#storage.kv.get<number>(targetKey);
  }

  set target(target: number | undefined) {
    if (target === undefined) this.#storage.kv.delete(targetKey);
    else this.#storage.kv.put(targetKey, target);
  }

  /** Where new shards are made. Only the first one knows it. */
  get location(): RealmLocation | undefined {
    return this.#storage.kv.get<RealmLocation>(locationKey);
  }

  set location(location: RealmLocation) {
    this.#storage.kv.put(locationKey, location);
  }

  /** As its owner sees it. */
  get shown(): RealmLayout {
    const { count, target, location } = this;
    return {
      shards: count,
      ...(target !== undefined && { target }),
      ...(location !== undefined && { location }),
    };
  }

  /** Of an object that is yet to be a shard. */
  get filling(): Filling | undefined {
    return this.#storage.kv.get<Filling>(fillingKey);
  }

  set filling(filling: Filling | undefined) {
    if (filling === undefined) this.#storage.kv.delete(fillingKey);
    else this.#storage.kv.put(fillingKey, filling);
  }

  /** The number of the trunk to another shard; `undefined` before there is one. */
  trunk(shard: number): number | undefined {
    return this.#storage.kv.get<number>(trunkKey(shard));
  }

  keepTrunk(shard: number, number: number): void {
    this.#storage.kv.put(trunkKey(shard), number);
  }

  /** The patterns of names of which another shard wants to be told. */
  subscribed(shard: number): readonly string[] {
    return this.#storage.kv.get<readonly string[]>(subscribedKey(shard)) ?? [];
  }

  keepSubscribed(shard: number, patterns: readonly string[]): void {
    if (patterns.length > 0) this.#storage.kv.put(subscribedKey(shard), patterns);
    else this.#storage.kv.delete(subscribedKey(shard));
  }
}

function subscribedKey(shard: number): string {
  return `subscribed:${shard}`;
}

function trunkKey(shard: number): string {
  return `trunk:${shard}`;
}
