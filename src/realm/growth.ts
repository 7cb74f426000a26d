import type { RowCursor, RowPage, RowsGiven } from "../credentials/named-rows.ts";
import { giverTo } from "../shards/home.ts";
import type { Filling, LayoutStore } from "./layout-store.ts";

/** The steps of a realm's growth, as the first shard asks objects for them. Each may be asked for again. */
export interface GrowthSteps {
  /**
   * Begins to give names to the last of so many shards.
   *
   * @returns the attempt's token; `undefined` if they have been given
   */
  beginGiving(count: number): string | undefined;
  /** The next rows; `undefined` after the last. @throws Error if the attempt is over */
  givenRows(token: string, cursor: RowCursor): RowsGiven | undefined;
  /** Gives the names, now that the new shard has all rows. @throws Error if the attempt is over */
  finishGiving(token: string): void;
  /** Makes an object ready to be filled. It has no client's home yet. @throws Error if it's a shard already */
  beginFilling(filling: Filling): void;
  /** Takes rows. @throws Error if they are of another attempt */
  fill(token: string, page: RowPage): void;
  /** Somebody knows of so many shards: then an object that was filled has all of its rows, and is one of them. */
  learn(count: number): void;
}

/** Asks the object of a shard, or of one that is yet to be, for a step. Rejects if the step fails, or the object ends. */
export type AskShard = <Step extends keyof GrowthSteps>(
  shard: number,
  step: Step,
  ...parameters: Parameters<GrowthSteps[Step]>
) => Promise<ReturnType<GrowthSteps[Step]>>;

interface GrowthStart {
  readonly layout: LayoutStore;
  readonly ask: AskShard;
  /** Shares with the last of so many shards what all shards have, now and from now on. Rejects if it does not confirm. */
  share(count: number): Promise<void>;
}

/**
 * Makes a realm grow, shard by shard, from its first shard's object. What it is to become is stored, and each step can be
 * done again: where an object ends in the middle, the alarm calls `run` again.
 *
 * Of the object that gives names and the one that takes them, first the one that gives stores that they are gone. From then
 * on whoever knows of the new number of shards proves that the new shard has all of its rows.
 */
export class Growth {
  readonly #start: GrowthStart;
  #isRunning = false;

  constructor(start: GrowthStart) {
    this.#start = start;
  }

  /** Goes on until there are as many shards as there should be, unless that is under way. Never rejects. */
  async run(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      await this.#grow();
    } catch (error) {
      console.warn("Cannot give the realm another shard now: the alarm tries again", error);
    } finally {
      this.#isRunning = false;
    }
  }

  async #grow(): Promise<void> {
    const { layout } = this.#start;
    while (layout.target !== undefined) {
      if (layout.count < layout.target) await this.#add(layout.count + 1);
      else {
        // Calls between shards tell the others too, meanwhile: this is for those that make none.
        await Promise.all(this.#tell(layout.count));
        if (layout.count >= layout.target) layout.target = undefined;
      }
    }
  }

  /** Adds the last of so many shards. */
  async #add(count: number): Promise<void> {
    const { ask, share } = this.#start;
    const added = count - 1;
    const giver = giverTo(added);
    const token = await ask(giver, "beginGiving", count);
    if (token !== undefined) {
      await ask(added, "beginFilling", { count, token });
      await share(count);
      let given = await ask(giver, "givenRows", token, { table: 0, after: undefined });
      while (given !== undefined) {
        if (given.page.rows.length > 0) await ask(added, "fill", token, given.page);
        given = await ask(giver, "givenRows", token, given.next);
      }
      await ask(giver, "finishGiving", token);
    }
    await share(count);
    await ask(0, "learn", count);
    await ask(added, "learn", count);
  }

  #tell(count: number): Promise<void>[] {
    return Array.from({ length: count }, async (_, shard) => {
      await this.#start.ask(shard, "learn", count);
    });
  }
}
