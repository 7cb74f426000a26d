/**
 * Numbers that a few labels decide, the same in whatever process asks for them: both ends of a stream know what goes
 * over it without telling each other. Not for secrets.
 */
export class Random {
  #state: number;

  constructor(...labels: readonly (string | number)[]) {
    this.#state = hashOf(labels.join("\0"));
  }

  /** From 0 up to, but not including, 1. */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    return mixed(this.#state) / 0x1_0000_0000;
  }

  /** A whole number, both bounds included. */
  integer(least: number, most: number): number {
    return least + Math.floor(this.fraction() * (most - least + 1));
  }

  /** A whole number, both bounds included, where 1 to 10 is as likely as 10 to 100. */
  logarithmic(least: number, most: number): number {
    return Math.floor(Math.exp(Math.log(least) + this.fraction() * Math.log((most + 1) / least)));
  }

  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.integer(0, items.length - 1)];
    if (item === undefined) throw new RangeError("Nothing to pick from");
    return item;
  }

  /** One of the keys, each as often as its weight says. */
  weighted<Key extends string>(weights: Readonly<Record<Key, number>>): Key {
    // Object.entries knows nothing of the keys' type.
    const entries = Object.entries(weights) as [Key, number][];
    let left = this.fraction() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [key, weight] of entries) {
      left -= weight;
      if (left < 0) return key;
    }
    throw new RangeError("Nothing to pick from");
  }
}

/** 32 bits of a text (FNV-1a, mixed once more). */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return mixed(hash >>> 0);
}

/** Each bit of the result hangs on every bit of the number (the finish of mulberry32). */
export function mixed(number: number): number {
  let bits = Math.imul(number ^ (number >>> 15), number | 1);
  bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
  return (bits ^ (bits >>> 14)) >>> 0;
}
