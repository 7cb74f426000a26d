import { expect, test } from "vitest";
import { PeerCalls } from "./peer-calls.ts";

test("what a client calls its peers is read from an attachment as it was written, without those that are gone", () => {
  const calls = new PeerCalls();
  for (const [address, call] of [
    [1, "bob"],
    [2 ** 32 - 1, "bob:@4294967295"],
    [3, "büro/亀:desk"],
  ] as const)
    calls.set(address, call);
  calls.delete(1);
  calls.delete(7);
  const attached = calls.attached();
  expect(attached).toHaveLength(calls.bytes);
  const read = new PeerCalls(attached);
  expect([1, 2 ** 32 - 1, 3].map((address) => read.callOf(address))).toEqual([
    undefined,
    "bob:@4294967295",
    "büro/亀:desk",
  ]);
  expect(["bob", "büro/亀:desk"].map((call) => read.addressOf(call))).toEqual([undefined, 3]);
  expect(read.bytes).toBe(calls.bytes);
  for (const address of [2 ** 32 - 1, 3]) read.delete(address);
  expect([read.bytes, read.attached()]).toEqual([0, undefined]);
});
