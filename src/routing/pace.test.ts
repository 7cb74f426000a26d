import { limits, routerLimits } from "@messagepasser/protocol";
import { expect, test } from "vitest";
import { Pace } from "./pace.ts";

const { markEveryBytes, maxBudgetBytes } = limits;
const { firstBudgetBytes, minPaceBytes, minPaceSampleBytes, paceMs } = routerLimits;

/** A link that drains this many bytes a millisecond, and is always waited for. */
function drained(pace: Pace, bytesPerMs: number, roundTripMs: number, marks: number, startMs = 1_000_000): number {
  let nowMs = startMs;
  pace.reached(1, { first: nowMs - roundTripMs, last: nowMs - roundTripMs }, nowMs);
  const intervalMs = markEveryBytes / bytesPerMs;
  for (let count = 0; count < marks; count++) {
    nowMs += intervalMs;
    const sentAtMs = nowMs - roundTripMs - 3 * intervalMs;
    pace.reached(markEveryBytes, { first: sentAtMs, last: sentAtMs }, nowMs);
  }
  return nowMs;
}

test("the budget of a link is half a second of what it drains, and two round trips more", () => {
  for (const [bytesPerMs, roundTripMs] of [
    [1_250, 40],
    [2_000, 400],
    [6_000, 100],
  ] as const) {
    const pace = new Pace();
    drained(pace, bytesPerMs, roundTripMs, 20);
    expect(pace.budgetBytes / (bytesPerMs * (paceMs + 2 * roundTripMs))).toBeCloseTo(1, 1);
  }
});

test("the budget of a link stays between its bounds, and no link gets a large one before it has shown its speed", () => {
  const [slow, fast] = [new Pace(), new Pace()];
  expect(fast.budgetBytes).toBe(firstBudgetBytes);
  drained(slow, 1, 10, 40);
  expect(slow.budgetBytes).toBeGreaterThanOrEqual(minPaceBytes);
  expect(slow.budgetBytes).toBeLessThan(1.1 * minPaceBytes);
  for (let count = 1; count <= 3; count++) {
    fast.reached(markEveryBytes, { first: 5, last: 5 }, 5);
    expect(fast.budgetBytes).toBe(firstBudgetBytes * 2 ** count);
  }
  fast.reached(markEveryBytes, { first: 5, last: 5 }, 5);
  expect(fast.budgetBytes).toBe(maxBudgetBytes);
});

test("the budget of a link follows a line that becomes slow", () => {
  const pace = new Pace();
  const nowMs = drained(pace, 6_250, 20, 20);
  const before = pace.budgetBytes;
  drained(pace, 250, 20, 6, nowMs);
  expect(pace.budgetBytes).toBeLessThan(before / 6);
});

test("the budget of a link isn't learned from a short exchange", () => {
  const pace = new Pace();
  pace.reached(minPaceSampleBytes - 1, { first: 0, last: 0 }, 10_000);
  expect(pace.budgetBytes).toBe(firstBudgetBytes);
});
