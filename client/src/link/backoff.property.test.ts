import fc from "fast-check";
import { expect, test } from "vitest";
import { backoffMs, spreadMs } from "./backoff.ts";

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const mostMs = fc.constantFrom(5_000, 30_000);

test("a pause before a reconnect is never longer than 0.5 s × 2^attempt or the longest one, and never negative", () => {
  fc.assert(
    // A client that has been offline for months has tried so often.
    fc.property(fc.nat(1_000_000), random, mostMs, (attempt, chance, most) => {
      const pauseMs = backoffMs(attempt, chance, most);
      expect(pauseMs).toBeGreaterThanOrEqual(0);
      expect(pauseMs).toBeLessThan(Math.min(most, 500 * 2 ** attempt));
    }),
  );
});

test("pauses before reconnects are spread evenly, down to none at all", () => {
  fc.assert(
    fc.property(fc.nat(20), random, mostMs, (attempt, chance, most) => {
      expect(backoffMs(attempt, 0, most)).toBe(0);
      const whole = backoffMs(attempt, 0.5, most) * 2;
      expect(backoffMs(attempt, chance, most)).toBeCloseTo(chance * whole);
    }),
  );
});

test("the range of pauses before reconnects grows to the longest one", () => {
  const longest = Array.from({ length: 9 }, (_, attempt) => backoffMs(attempt, 0.5, 30_000) * 2);
  expect(longest).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
});

test("a delay that a server asks for is spread over a minute at most, whatever number it is", () => {
  const asked = [3_600_000, Infinity, -Infinity, -100, Number.NaN, 60_001, 2 ** 32 - 1];
  expect(asked.map((askedMs) => spreadMs(askedMs, 0.5))).toEqual([30_000, 30_000, 0, 0, 0, 30_000, 30_000]);
  fc.assert(
    fc.property(fc.double(), random, (askedMs, chance) => {
      expect(spreadMs(askedMs, chance)).toBeGreaterThanOrEqual(0);
      expect(spreadMs(askedMs, chance)).toBeLessThan(60_000);
    }),
  );
});
