import { routerLimits } from "@messagepasser/protocol";
import { expect, test } from "vitest";
import { CallRate, CallsMade } from "./call-rate.ts";

const { maxRpcCallsPerSecond, callSocketIdleMs, busyCallSocketIdleMs } = routerLimits;

/** Calls to shards in turn, spread over time. @returns whether a WebSocket to any of them is worth it */
function isWorthIt(made: CallsMade, { shards, perSecond }: { shards: number; perSecond: number }): boolean {
  const rates = Array.from({ length: shards }, () => new CallRate(made));
  let isOnce = false;
  for (let call = 0; call < 3 * perSecond; call++)
    isOnce ||= rates[call % shards]?.count(1e12 + (call * 1_000) / perSecond) ?? false;
  return isOnce;
}

test("a WebSocket to another shard is worth it where a shard makes many calls in a second", () => {
  expect(isWorthIt(new CallsMade(), { shards: 1, perSecond: maxRpcCallsPerSecond + 1 })).toBe(true);
  expect(isWorthIt(new CallsMade(), { shards: 1, perSecond: maxRpcCallsPerSecond - 1 })).toBe(false);
});

test("a WebSocket to another shard is worth it where a shard makes many calls, though few to each of many others", () => {
  expect(isWorthIt(new CallsMade(), { shards: 63, perSecond: 200 })).toBe(true);
  // Where each gets less than one in a second, a WebSocket would soon be quiet.
  expect(isWorthIt(new CallsMade(), { shards: 63, perSecond: 40 })).toBe(false);
});

test("a shard that made many calls lets its WebSockets be quiet for longer, for some seconds", () => {
  const made = new CallsMade();
  const nowMs = 1e12;
  expect(made.mostQuietMs(nowMs)).toBe(callSocketIdleMs);
  for (let call = 0; call < maxRpcCallsPerSecond; call++) made.count(nowMs);
  expect(made.mostQuietMs(nowMs)).toBe(busyCallSocketIdleMs);
  expect(made.mostQuietMs(nowMs + busyCallSocketIdleMs - 1)).toBe(busyCallSocketIdleMs);
  expect(made.mostQuietMs(nowMs + busyCallSocketIdleMs)).toBe(callSocketIdleMs);
});

test("a clock that is set back makes no shard busy for longer", () => {
  const made = new CallsMade();
  for (let call = 0; call < maxRpcCallsPerSecond; call++) made.count(1e12);
  for (let call = 0; call < maxRpcCallsPerSecond - 1; call++) made.count(1e12 - 60_000);
  expect(made.isBusy(1e12 + busyCallSocketIdleMs)).toBe(false);
});
