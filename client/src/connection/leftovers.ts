import type { Grants } from "./budget.ts";
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
  /** What of the client's budget it still takes. */
  readonly grantedBytes: number;
}

/**
 * What arrived from one principal on Connections that have ended since, and was not read yet. It takes budget until it is
 * read, is thrown away or is garbage, so that peers are granted less meanwhile. A peer gets past that by many Connections,
 * each with the least window: past the quota, the oldest is thrown away.
 */
export class Leftovers {
  readonly #budget: Grants;
  readonly #held: Quota;
  readonly #all = new Set<Leftover>();
  #collected: FinalizationRegistry<Leftover> | undefined;

  constructor(budget: Grants, held: Quota) {
    this.#budget = budget;
    this.#held = held;
  }

  /**
   * Notes what a receiver holds.
   *
   * @param grantedBytes what this takes of the budget. It is given back here.
   * @returns `undefined`, with nothing noted, where nobody would notice that a receiver is garbage: in Workers with a
   *   compatibility date before 2025-05-05.
   */
  add(holder: Holder, bytes: number, grantedBytes: number): Leftover | undefined {
    if (!("FinalizationRegistry" in globalThis)) return undefined;
    this.#collected ??= new FinalizationRegistry((leftover) => {
      this.remove(leftover);
    });
    const leftover = { holder: new WeakRef(holder), bytes: bytes + entryBytes, grantedBytes };
    this.#held.add(leftover.bytes);
    this.#all.add(leftover);
    this.#collected.register(holder, leftover, leftover);
    for (const oldest of this.#all) {
      if (oldest === leftover || !this.#held.isFull) break;
      this.#drop(oldest);
    }
    return leftover;
  }

  /** It was read, or thrown away. */
  remove(leftover: Leftover): void {
    if (!this.#all.delete(leftover)) return;
    this.#held.add(-leftover.bytes);
    this.#budget.give(leftover.grantedBytes);
    this.#collected?.unregister(leftover);
  }

  #drop(leftover: Leftover): void {
    this.remove(leftover);
    leftover.holder.deref()?.drop();
  }
}
