/** Where the version is stored. */
const key = "sharedVersion";

/**
 * Counts the changes of what all shards of a realm share. The first shard counts; each other one notes which change was the
 * last that it was told.
 */
export class SharedVersion {
  readonly #kv: SyncKvStorage;

  constructor(kv: SyncKvStorage) {
    this.#kv = kv;
  }

  /** 0 before the first change, and where the stored number is damaged. */
  get current(): number {
    const stored = this.#kv.get(key);
    return typeof stored === "number" && Number.isSafeInteger(stored) && stored >= 0 ? stored : 0;
  }

  set current(version: number) {
    this.#kv.put(key, version);
  }

  /** Counts one more change. @returns its version, from 1 */
  next(): number {
    const version = this.current + 1;
    this.current = version;
    return version;
  }
}
