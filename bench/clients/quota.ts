/** How many messages may be under way in all. Who finds no room waits for its turn. */
export class Quota {
  #left: number;
  /** In their order, which a Set keeps; to take the first of a long array is slow. */
  readonly #waiting = new Set<(value: undefined) => void>();

  constructor(count: number) {
    this.#left = count;
  }

  /** Takes room for one. Resolves, where there is none, once somebody else's is free. */
  take(): Promise<undefined> | undefined {
    if (this.#left > 0) {
      this.#left--;
      return undefined;
    }
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#waiting.add(resolve);
    return promise;
  }

  give(count: number): void {
    this.#left += count;
    for (const resolve of this.#waiting) {
      if (this.#left === 0) return;
      this.#left--;
      this.#waiting.delete(resolve);
      resolve(undefined);
    }
  }
}
