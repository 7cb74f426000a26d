import { routerLimits } from "@messagepasser/protocol";
import { expect, test } from "vitest";
import { addressesOf, shardOf } from "./address.ts";

test("a realm of one shard has all addresses but those of the built-in peers", () => {
  expect(addressesOf(0, 1)).toEqual({ first: 1, last: routerLimits.lastAddress });
});

test("each shard has addresses of its own, which say whose they are", () => {
  let before = 0;
  for (let shard = 0; shard < 1_023; shard++) {
    const { first, last } = addressesOf(shard, 1_023);
    expect(first).toBeGreaterThan(before);
    expect([shardOf(first), shardOf(last)]).toEqual([shard, shard]);
    before = last;
  }
  expect(before).toBeLessThan(routerLimits.lastAddress);
  expect(shardOf(routerLimits.lastAddress)).toBe(1_023);
});
