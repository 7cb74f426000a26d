/** Hands out addresses in blocks, so that only one in 32 links costs a write; none is used twice in the life of the object. */
export class Addresses {
  readonly #storage: SyncKvStorage;
  #next = 0;
  #end = 0;

  constructor(storage: SyncKvStorage) {
    this.#storage = storage;
  }

  take(): number {
    if (this.#next === this.#end) {
      this.#next = this.#storage.get<number>("nextAddress") ?? 1;
      this.#end = this.#next + 32;
      this.#storage.put("nextAddress", this.#end);
    }
    return this.#next++;
  }
}
