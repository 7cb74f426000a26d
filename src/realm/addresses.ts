/** Hands out the addresses of links, each once in the life of the realm. Takes 32 at a time, so 32 links cost one write. */
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
