import type { Quota } from "./quota.ts";

/** What an entry costs besides the bytes that it counts. */
const entryBytes = 256;

/** A receiver of a Connection that has ended. */
export interface Holder {
  /** Throws away what was not read. */
  drop(): void;
}

/** What one Connection holds after its end. */
export interface Leftover {
  /** Weak, since a program may let go of a Connection without having read it. */
  readonly holder: WeakRef<Holder>;
  readonly bytes: number;
}

/**
 * What arrived from one principal on Connections that have ended since, and was not read yet. Their windows no longer
 * bound it, and perhaps nobody ever reads it: past the quota, the oldest is thrown away.
 */
export class Leftovers {
  readonly #held: Quota;
  readonly #all = new Set<Leftover>();

  constructor(held: Quota) {
    this.#held = held;
  }

  add(holder: Holder, bytes: number): Leftover {
    const leftover = { holder: new WeakRef(holder), bytes: bytes + entryBytes };
    this.#held.add(leftover.bytes);
    this.#all.add(leftover);
    for (const oldest of this.#all) {
      if (oldest === leftover || !this.#held.isFull) break;
      this.#drop(oldest);
    }
    return leftover;
  }

  /** It was read, or thrown away. */
  remove(leftover: Leftover): void {
    if (this.#all.delete(leftover)) this.#held.add(-leftover.bytes);
  }

  /** Throws everything away. */
  clear(): void {
    for (const leftover of this.#all) this.#drop(leftover);
  }

  #drop(leftover: Leftover): void {
    this.remove(leftover);
    leftover.holder.deref()?.drop();
  }
}
