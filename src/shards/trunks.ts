import { ProtocolError, routerLimits } from "@messagepasser/protocol";
import type { CrossingItem } from "../routing/crossing-item.ts";
import type { OtherShards } from "../routing/other-shards.ts";
import { shardOf } from "./address.ts";
import { type Call, decodeCall, encodeAnswer } from "./call.ts";
import { homeOf, placeOf } from "./home.ts";
import { type LostQuestions, type Outcome, Trunk } from "./trunk.ts";

/** What the trunks of a shard need of the platform and of its routing. */
export interface TrunksRuntime {
  randomU32(): number;
  after(delayMs: number, callback: () => void): void;
  /** Calls another shard, with bytes that are good until it returns. `ended` must be called once with the outcome, later. */
  call(shard: number, bytes: Uint8Array, ended: (outcome: Outcome) => void): void;
  /** The number of a trunk as it was stored. */
  number(shard: number): number | undefined;
  keep(shard: number, number: number): void;
  /** The patterns of which a shard wants to be told, as they were stored. */
  subscribed(shard: number): readonly string[];
  noteSubscribed(shard: number, patterns: readonly string[]): void;
  /** Another shard knows that the realm has so many shards, which are more than this one knows. It may grow. */
  moreShards(count: number): void;
  /** A link of this shard is paired with one of another: from time to time it has to be found out whether that is still there. */
  paired(): void;
  take(item: CrossingItem, shard: number): void;
  broken(shard: number, questions: LostQuestions): void;
}

/** All trunks of one shard of a realm. */
export class Trunks implements OtherShards {
  readonly #own: number;
  #count = 0;
  #all: readonly number[] = [];
  readonly #runtime: TrunksRuntime;
  /** Each is made when it is first needed. */
  readonly #trunks = new Map<number, Trunk>();
  readonly #subscribed = new Map<number, readonly string[]>();
  /** Shards whose patterns have not been stored. */
  readonly #unkept = new Set<number>();

  /** @param count how many shards the realm has, this one included */
  constructor(own: number, count: number, runtime: TrunksRuntime) {
    this.#own = own;
    this.#runtime = runtime;
    this.grow(count);
  }

  get all(): readonly number[] {
    return this.#all;
  }

  /** The realm has so many shards from now on: more than before. */
  grow(count: number): void {
    this.#count = count;
    this.#all = Array.from({ length: count }, (_, shard) => shard).filter((shard) => shard !== this.#own);
  }

  homeOf(name: string): number | undefined {
    const home = homeOf(name, this.#count);
    return home === this.#own ? undefined : home;
  }

  homesOf(pattern: string): readonly number[] {
    if (placeOf(pattern).includes("*")) return this.all;
    const home = this.homeOf(pattern);
    return home === undefined ? [] : [home];
  }

  shardOf(address: number): number | undefined {
    const shard = shardOf(address);
    return shard === this.#own || shard >= this.#count ? undefined : shard;
  }

  tell(shard: number, item: CrossingItem): boolean {
    return this.#to(shard).push(item);
  }

  subscribed(shard: number): readonly string[] {
    let patterns = this.#subscribed.get(shard);
    if (patterns === undefined) {
      patterns = this.#runtime.subscribed(shard);
      this.#subscribed.set(shard, patterns);
    }
    return patterns;
  }

  noteSubscribed(shard: number, patterns: readonly string[]): void {
    if (this.subscribed(shard).length === 0 && patterns.length === 0) return;
    this.#subscribed.set(shard, patterns);
    if (this.#unkept.has(shard)) return;
    // A row in the storage once a second, however often clients change what they watch.
    this.#unkept.add(shard);
    this.#runtime.after(routerLimits.tellEveryMs, () => {
      this.#unkept.delete(shard);
      this.#runtime.noteSubscribed(shard, this.subscribed(shard));
    });
  }

  paired(): void {
    this.#runtime.paired();
  }

  check(shard: number): void {
    this.#to(shard).check();
  }

  flush(): void {
    for (const trunk of this.#trunks.values()) trunk.flush();
  }

  /** All links of this shard are gone, as after a reset: the other shards that had pairs with them have to know. */
  reset(): void {
    for (const shard of this.all) if (this.#runtime.number(shard) !== undefined) this.#to(shard).reset();
  }

  /** Carries out a call of another shard. Never throws. @returns the answer */
  receive(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
    const call = this.#read(bytes);
    return encodeAnswer(call === undefined ? 0 : this.#to(call.from).receive(call));
  }

  #read(bytes: Uint8Array): Call | undefined {
    try {
      const call = decodeCall(bytes);
      if (call.shards > this.#count) this.#runtime.moreShards(call.shards);
      return call.from < this.#count && call.from !== this.#own ? call : undefined;
    } catch (error) {
      if (error instanceof ProtocolError) return undefined;
      throw error;
    }
  }

  #to(shard: number): Trunk {
    let trunk = this.#trunks.get(shard);
    if (trunk !== undefined) return trunk;
    const runtime = this.#runtime;
    trunk = new Trunk(this.#own, runtime.number(shard), {
      randomU32: () => runtime.randomU32(),
      shardCount: () => this.#count,
      after: (delayMs, callback) => {
        runtime.after(delayMs, callback);
      },
      call: (bytes, ended) => {
        runtime.call(shard, bytes, ended);
      },
      keep: (number) => {
        runtime.keep(shard, number);
      },
      take: (item) => {
        runtime.take(item, shard);
      },
      broken: (questions) => {
        runtime.broken(shard, questions);
      },
      hasRoom: (bytes) => this.heldBytes + bytes <= routerLimits.maxTrunksBytes,
    });
    this.#trunks.set(shard, trunk);
    return trunk;
  }

  /** Bytes that wait for other shards, or are under way to them. */
  get heldBytes(): number {
    let bytes = 0;
    for (const trunk of this.#trunks.values()) bytes += trunk.heldBytes;
    return bytes;
  }
}
