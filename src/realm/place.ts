import { routerLimits } from "@messagepasser/protocol";
import type { RowCursor, RowPage, RowsGiven } from "../credentials/named-rows.ts";
import { giverTo, homeOf } from "../shards/home.ts";
import type { Admission, Moved } from "./admission.ts";
import { Giving } from "./giving.ts";
import { type AskShard, Growth, type GrowthSteps } from "./growth.ts";
import { type Filling, LayoutStore } from "./layout-store.ts";
import { inTime } from "./platform.ts";
import type { Registry } from "./registry.ts";

/** What the place of an object needs of it. */
interface PlaceStart {
  /** The number of the object's shard. */
  readonly shard: number;
  readonly storage: DurableObjectStorage;
  /** Calls a method of the place of another shard's object. */
  readonly ask: AskShard;
  /** Opened when it is needed. */
  registry(): Registry;
  /** The realm has more shards than before. */
  grown(): void;
  /** Some clients have another home from now on. */
  gaveNames(): void;
}

/** The place of an object among those of its realm: which shard it is, whose home it is, and how it becomes one of more. */
export class Place implements GrowthSteps {
  readonly shard: number;
  readonly layout: LayoutStore;
  readonly #start: PlaceStart;
  readonly #growth: Growth;
  #giving: Giving | undefined;

  /** @throws Error for a damaged layout */
  constructor(start: PlaceStart) {
    this.#start = start;
    this.shard = start.shard;
    this.layout = new LayoutStore(start.storage);
    this.#growth = new Growth({
      layout: this.layout,
      ask: async (shard, step, ...parameters) =>
        shard === this.shard
          ? (this.step(step, parameters) as ReturnType<GrowthSteps[typeof step]>)
          : await start.ask(shard, step, ...parameters),
      share: async (count) => {
        const { sharing } = start.registry();
        sharing.shareAmong(count);
        await inTime(sharing.tell(count - 1));
      },
    });
  }

  /** Whether this object is the home of a name. */
  isHomeOf(name: string): boolean {
    return homeOf(name, this.layout.count) === this.shard;
  }

  /** Where a client is to be asked for instead; `undefined` for here. @param shards as the Worker counts them */
  movedOf({ name, invitation, ticket }: Admission, shards: number): Moved | undefined {
    const writes = invitation !== undefined || ticket !== undefined;
    return this.movedFor(shards, writes ? "writes" : "reads", name);
  }

  /**
   * Where a name is to be asked for instead, or what all shards have.
   *
   * @param use what is done with what is stored about the name; `undefined` for what all shards have
   */
  movedFor(shards: number, use: "reads" | "writes" | undefined, name: string): Moved | undefined {
    // An object that was filled waits for one that knows of it.
    if (!this.#isShard) this.learn(shards);
    const { count } = this.layout;
    const isElsewhere = use === undefined ? shards < count : !this.isHomeOf(name);
    if (isElsewhere) return { shards: count };
    return use === "writes" && this.#giving?.holds(name) === true ? { shards: count, isMoving: true } : undefined;
  }

  /** Goes on with the realm's growth, if it isn't over. */
  growOn(): void {
    if (this.layout.target !== undefined) void this.#growth.run();
  }

  /** When to go on with the realm's growth, in milliseconds since 1970; `Infinity` for never. */
  get nextGrowthMs(): number {
    return this.layout.target === undefined ? Infinity : Date.now() + routerLimits.growRetryMs;
  }

  /** Carries out a step of the realm's growth. */
  step<Step extends keyof GrowthSteps>(step: Step, parameters: Parameters<GrowthSteps[Step]>): unknown {
    const call = this[step] as (...parameters: readonly unknown[]) => unknown;
    return call.apply(this, parameters);
  }

  beginGiving(count: number): string | undefined {
    this.learn(count - 1);
    if (this.layout.count >= count) return undefined;
    return (this.#giving ??= new Giving(this.shard, this.#start.registry().rows)).begin(count);
  }

  givenRows(token: string, cursor: RowCursor): RowsGiven | undefined {
    return this.#givingNow.page(token, cursor);
  }

  finishGiving(token: string): void {
    const giving = this.#givingNow;
    this.#start.storage.transactionSync(() => {
      this.layout.count = giving.finish(token);
    });
    this.#start.grown();
    this.#start.gaveNames();
  }

  get #givingNow(): Giving {
    if (this.#giving === undefined) throw new Error("No names are being given to a new shard");
    return this.#giving;
  }

  beginFilling(filling: Filling): void {
    if (this.#isShard) throw new Error("The object is a shard already");
    this.#start.storage.transactionSync(() => {
      this.#start.registry().rows.clear();
      this.layout.filling = filling;
    });
  }

  fill(token: string, page: RowPage): void {
    if (this.layout.filling?.token !== token) throw new Error("The rows are of an attempt that is over");
    this.#start.storage.transactionSync(() => {
      this.#start.registry().rows.put(page);
    });
  }

  learn(count: number): void {
    const { count: before } = this.layout;
    if (count <= before) return;
    if (this.#isShard) {
      // It would have given names, and knows best that it has not.
      if (this.#givesNames(before, count)) return;
    } else {
      const { filling } = this.layout;
      if (filling === undefined || count < filling.count) return;
      this.layout.filling = undefined;
      // For what expires, and for what KV lacks.
      void this.#start.registry().alarms.wakeBy(Date.now());
    }
    this.layout.count = count;
    this.#start.grown();
  }

  /** Whether this shard gives names to a new one where the realm grows from one number of shards to another. */
  #givesNames(before: number, count: number): boolean {
    for (let added = before; added < count; added++) if (giverTo(added) === this.shard) return true;
    return false;
  }

  get #isShard(): boolean {
    return this.shard < this.layout.count;
  }
}
