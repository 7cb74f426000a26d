import { routerLimits } from "@messagepasser/protocol";
import type { NamedRows, RowCursor, RowsGiven } from "../credentials/named-rows.ts";
import { homeOf } from "../shards/home.ts";

/** The attempt under way to give names to a new shard. */
interface Attempt {
  readonly token: string;
  readonly count: number;
  /** Milliseconds since 1970. */
  untilMs: number;
}

/**
 * A shard gives some of its names to a new one. While their rows are copied, nothing may change in them. That is in memory
 * only, and ends by itself soon after the last page: a copy of which it has ended is of no use, and is begun anew.
 */
export class Giving {
  readonly #own: number;
  readonly #rows: NamedRows;
  #attempt: Attempt | undefined;

  constructor(own: number, rows: NamedRows) {
    this.#own = own;
    this.#rows = rows;
  }

  /** Begins to give the names that are no longer this shard's with so many shards. @returns the attempt's token */
  begin(count: number): string {
    const token = crypto.randomUUID();
    this.#attempt = { token, count, untilMs: Date.now() + routerLimits.givingMs };
    return token;
  }

  /** The next rows; `undefined` after the last. @throws Error if the attempt is over */
  page(token: string, cursor: RowCursor): RowsGiven | undefined {
    const attempt = this.#of(token);
    attempt.untilMs = Date.now() + routerLimits.givingMs;
    return this.#rows.page((name) => homeOf(name, attempt.count) !== this.#own, cursor);
  }

  /** Whether what is stored about a name must not change now. */
  holds(name: string): boolean {
    const attempt = this.#attempt;
    if (attempt === undefined || homeOf(name, attempt.count) === this.#own) return false;
    if (Date.now() < attempt.untilMs) return true;
    this.#attempt = undefined;
    return false;
  }

  /** The new shard has all rows. Forgets those that it has. @returns how many shards there are now @throws Error if the attempt is over */
  finish(token: string): number {
    const { count } = this.#of(token);
    this.#attempt = undefined;
    this.#rows.forget((name) => homeOf(name, count) !== this.#own);
    return count;
  }

  #of(token: string): Attempt {
    if (this.#attempt?.token !== token) throw new Error("This attempt to give names to a new shard is over");
    return this.#attempt;
  }
}
