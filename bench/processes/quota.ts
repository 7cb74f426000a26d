/** How many messages may be under way in all. */
export class Quota {
  #left: number;
  /** In the order in which they came. A Set keeps it, and takes its first value faster than a long array. */
  readonly #waiting = new Set<(value: undefined) => void>();

  constructor(count: number) {
    this.#left = count;
  }

  /** Takes room for one message. Where there is none, the promise resolves once there is. */
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
