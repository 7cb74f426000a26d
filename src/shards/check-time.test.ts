import { routerLimits } from "@messagepasser/protocol";
import { expect, test } from "vitest";
import { nextCheckMs } from "./check-time.ts";

const { checkShardsEveryMs } = routerLimits;
const nowMs = Date.UTC(2026, 11, 1);

test("all shards of a realm check each other at the same time, whenever they begin", () => {
  const next = nextCheckMs("fleet", nowMs);
  expect(next).toBeGreaterThan(nowMs);
  expect(next).toBeLessThanOrEqual(nowMs + checkShardsEveryMs);
  expect(nextCheckMs("fleet", next - 1)).toBe(next);
  expect(nextCheckMs("fleet", next)).toBe(next + checkShardsEveryMs);
  expect(nextCheckMs("fleet", next + checkShardsEveryMs - 1)).toBe(next + checkShardsEveryMs);
});

test("the shards of different realms check each other at different times", () => {
  const times = Array.from({ length: 50 }, (_, at) => nextCheckMs(`realm-${at}`, nowMs));
  expect(new Set(times).size).toBeGreaterThan(40);
});
