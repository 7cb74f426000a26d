import { expect, test } from "vitest";
import { addressesOf, shardOf } from "./address.ts";

test("each shard has addresses of its own, which say whose they are", () => {
  let before = 0;
  for (let shard = 0; shard < 1_023; shard++) {
    const { first, last } = addressesOf(shard);
    expect(first).toBeGreaterThan(before);
    expect([shardOf(first), shardOf(last)]).toEqual([shard, shard]);
    before = last;
  }
  const builtInPeers = 0xffff_ff00;
  expect(before).toBeLessThan(builtInPeers);
  expect(shardOf(builtInPeers)).toBe(1_023);
});
