import type { CrossingItem } from "./crossing-item.ts";

/** The other shards of a realm, as routing talks to them. A realm of one shard has none, until it grows. */
export interface OtherShards {
  /** The numbers of all of them. */
  readonly all: readonly number[];
  /** The shard that has a name's links; `undefined` if it is this one. */
  homeOf(name: string): number | undefined;
  /** The other shards that may have links whose names fit a pattern. */
  homesOf(pattern: string): readonly number[];
  /** The shard of a link, by its address; `undefined` if it is this one, or there is no such shard. */
  shardOf(address: number): number | undefined;
  /** Tells a shard something, after all that it was told before. @returns false for a question that can't be asked now */
  tell(shard: number, item: CrossingItem): boolean;
  /** The patterns of names of which a shard wants to be told. */
  subscribed(shard: number): readonly string[];
  /** Notes them. Outlives hibernation. */
  noteSubscribed(shard: number, patterns: readonly string[]): void;
  /** Notes that a link here is paired with one of another shard. */
  paired(): void;
  /** Finds out whether a shard still has its links. */
  check(shard: number): void;
  /** Sends what waits. */
  flush(): void;
}
