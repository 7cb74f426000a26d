import type { Pairs } from "../../src/routing/link.ts";

/** Pairs of a link that has room for any number of them. */
export class ListedPairs implements Pairs {
  readonly overflowed = false;
  readonly isFull = false;
  readonly #addresses = new Set<number>();

  [Symbol.iterator](): Iterator<number> {
    return this.#addresses.values();
  }

  has(address: number): boolean {
    return this.#addresses.has(address);
  }

  add(address: number): boolean {
    this.#addresses.add(address);
    return true;
  }

  remove(address: number): void {
    this.#addresses.delete(address);
  }

  overflow(): void {
    throw new Error("A list without bound has room for all");
  }
}
