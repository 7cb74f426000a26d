import { limits } from "@messagepasser/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Budget, Kept } from "./budget.ts";

const bytes = fc.oneof(fc.nat(100), fc.nat(300_000), fc.nat(limits.maxWindowBytes));

type Step =
  | { readonly do: "take"; readonly wanted: number; readonly atLeast: number }
  | { readonly do: "give"; readonly which: number }
  | { readonly do: "total"; readonly totalBytes: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("take" as const),
      wanted: bytes,
      // A window that still has room needs nothing.
      atLeast: fc.oneof(fc.constant(0), fc.integer({ min: -limits.minWindowBytes, max: limits.minWindowBytes })),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("give" as const), which: fc.nat() }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("total" as const), totalBytes: fc.nat(limits.maxBudgetBytes) }),
  },
);

describe("a budget", () => {
  test("counts what is granted, gives half of what is free at most, and what must be in any case", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const budget = new Budget();
        const granted: number[] = [];
        const free = (): number => budget.totalBytes - granted.reduce((sum, each) => sum + each, 0);
        for (const each of steps) {
          if (each.do === "total") budget.totalBytes = each.totalBytes;
          else if (each.do === "give") budget.give(granted.splice(each.which % (granted.length || 1), 1)[0] ?? 0);
          else {
            const before = free();
            const got = budget.take(each.wanted, each.atLeast);
            const must = Math.max(each.atLeast, 0);
            expect(got).toBeGreaterThanOrEqual(must);
            expect(got).toBeLessThanOrEqual(Math.max(must, Math.min(each.wanted, before / 2)));
            if (before >= 2 * each.wanted) expect(got).toBe(Math.max(each.wanted, must));
            granted.push(got);
          }
          expect([budget.has(free()), budget.has(free() + 1)]).toEqual([true, false]);
        }
        for (const each of granted) budget.give(each);
        expect([budget.has(budget.totalBytes), budget.has(budget.totalBytes + 1)]).toEqual([true, false]);
      }),
    );
  });

  test("is never overdrawn by those who need nothing, however many there are", () => {
    const budget = new Budget();
    for (let taken = 0; taken < 1_000; taken++) budget.take(limits.maxWindowBytes, 0);
    expect(budget.has(0)).toBe(true);
  });
});

test.each([
  [limits.maxUnacknowledgedBytes - 1, false],
  [limits.maxUnacknowledgedBytes, true],
])("with %i bytes kept, nothing more is sent: %s", (keptBytes, isFull) => {
  const kept = new Kept();
  kept.bytes = keptBytes;
  expect(kept.isFull).toBe(isFull);
});
