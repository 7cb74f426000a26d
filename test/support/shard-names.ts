import { homeOf } from "../../src/shards/home.ts";

/** A name with this start whose home is this shard of so many. */
export function nameOn(shard: number, start: string, count: number): string {
  for (let at = 0; ; at++) if (homeOf(`${start}${at}`, count) === shard) return `${start}${at}`;
}
