/** Where the number of shards is stored. */
const countKey = "shards";

/** How many shards the realm has, as one of their objects knows it. */
export class LayoutStore {
  readonly #storage: DurableObjectStorage;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  /** 1 until it is set. */
  get count(): number {
    return this.#storage.kv.get<number>(countKey) ?? 1;
  }

  /** Stores the number, from the next start of the object on. */
  set count(count: number) {
    this.#storage.kv.put(countKey, count);
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
