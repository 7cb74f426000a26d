import { expect, test } from "vitest";
import { addressesOf } from "../shards/address.ts";
import { Addresses } from "./addresses.ts";

const all = addressesOf(0);
const lastAddress = all.last;

/** Storage as the runtime has it, which survives the object. */
function storageOf(nextAddress?: number): ConstructorParameters<typeof Addresses>[0] {
  const values = new Map<string, number>(nextAddress === undefined ? [] : [["nextAddress", nextAddress]]);
  return { get: (key) => values.get(key), put: (key, value) => void values.set(key, value) };
}

test("addresses begin with 1, and none comes twice though the object ends between any two", () => {
  const storage = storageOf();
  const taken = Array.from({ length: 5 }, () => {
    const addresses = new Addresses(storage, all, () => false);
    return Array.from({ length: 40 }, () => addresses.take());
  }).flat();
  expect(taken[0]).toBe(1);
  expect(new Set(taken).size).toBe(taken.length);
});

test("addresses begin anew after the last of the shard, and pass over those that links have", () => {
  const addresses = new Addresses(storageOf(lastAddress - 1), all, (address) => address === 2 || address === 3);
  expect(Array.from({ length: 5 }, () => addresses.take())).toEqual([lastAddress - 1, lastAddress, 1, 4, 5]);
  const later = new Addresses(storageOf(3 * lastAddress), all, () => false);
  expect([later.take(), later.take()]).toEqual([lastAddress, 1]);
});

test("a shard hands out the addresses of its part, and wraps within it", () => {
  const { first, last } = addressesOf(3);
  const addresses = new Addresses(storageOf(last - first + 1), addressesOf(3), (address) => address === first);
  expect(Array.from({ length: 2 }, () => addresses.take())).toEqual([last, first + 1]);
});
