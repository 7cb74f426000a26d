import type { AddressRange } from "../shards/address.ts";

/** The part of the object's storage that keeps where addresses go on. */
interface AddressStorage {
  get(key: string): number | undefined;
  put(key: string, value: number): void;
}

/**
 * Hands out the addresses of links: each again only after all the others, and never one that a link has. Takes 32 at a
 * time, so 32 links cost one write.
 */
export class Addresses {
  readonly #storage: AddressStorage;
  readonly #range: AddressRange;
  readonly #isTaken: (address: number) => boolean;
  /** Counts on when addresses begin anew. */
  #next = 0;
  #end = 0;

  /** @param isTaken whether a link has an address */
  constructor(storage: AddressStorage, range: AddressRange, isTaken: (address: number) => boolean) {
    this.#storage = storage;
    this.#range = range;
    this.#isTaken = isTaken;
  }

  take(): number {
    const { first, last } = this.#range;
    const length = last - first + 1;
    for (;;) {
      const count = this.#count();
      const address = ((count - 1) % length) + first;
      if (count <= length || !this.#isTaken(address)) return address;
    }
  }

  #count(): number {
    if (this.#next === this.#end) {
      this.#next = this.#storage.get("nextAddress") ?? 1;
      this.#end = this.#next + 32;
      this.#storage.put("nextAddress", this.#end);
    }
    return this.#next++;
  }
}
