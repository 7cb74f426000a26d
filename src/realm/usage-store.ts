import { keep, type KeptSums, type Sums } from "./usage.ts";

const key = "usage";

/** A realm's sums, in the object's storage: one row. */
export class UsageStore {
  readonly #storage: DurableObjectStorage;
  #kept: KeptSums | undefined;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  /** Empty before anything was added. */
  get kept(): KeptSums {
    return (this.#kept ??= this.#storage.kv.get<KeptSums>(key) ?? []);
  }

  /** Adds to what is kept. A write that fails is made good by the next one. */
  add(sums: Sums, nowMs: number): void {
    this.#kept = keep(sums, this.kept, nowMs);
    // Unconfirmed, since messages that the object sends wait for all other writes.
    this.#storage.put(key, this.#kept, { allowUnconfirmed: true }).catch((error: unknown) => {
      console.warn("Cannot store what the realm has used", error);
    });
  }
}
