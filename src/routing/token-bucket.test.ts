import { limits } from "@messagepasser/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { TokenBucket } from "./token-bucket.ts";

const { maxOpensAtOnce, maxOpensPerSecond } = limits;
const startMs = 1_700_000_000_000;
const opens = (): TokenBucket => new TokenBucket(maxOpensAtOnce, maxOpensPerSecond);

/** How many more are allowed at a time. */
function takeAll(rate: TokenBucket, nowMs: number): number {
  let count = 0;
  while (rate.take(nowMs)) count++;
  return count;
}

test("the rate of opens allows as many at once as the limit says, and not one more", () => {
  expect(takeAll(opens(), startMs)).toBe(maxOpensAtOnce);
});

test("the rate of opens gives back its number a second, and never exceeds its maximum", () => {
  const rate = opens();
  takeAll(rate, startMs);
  expect(takeAll(rate, startMs + 1_000)).toBe(maxOpensPerSecond);
  expect(takeAll(rate, startMs + 1_001)).toBe(maxOpensPerSecond / 1_000);
  expect(takeAll(rate, startMs + 3_600_000)).toBe(maxOpensAtOnce);
});

test("the rate of opens takes and gives nothing when the clock is set back", () => {
  const rate = opens();
  takeAll(rate, startMs);
  expect(takeAll(rate, startMs - 3_600_000)).toBe(0);
  expect(takeAll(rate, startMs - 3_600_000 + 1_000)).toBe(maxOpensPerSecond);
});

test("the rate of opens allows no more in any time than the initial number and those given back", () => {
  const steps = fc.array(fc.record({ waitMs: fc.nat(5_000), tries: fc.nat(20_000) }), { maxLength: 20 });
  const property = fc.property(steps, (all) => {
    const rate = opens();
    let nowMs = startMs;
    let taken = 0;
    for (const { waitMs, tries } of all) {
      nowMs += waitMs;
      for (let at = 0; at < tries; at++) if (rate.take(nowMs)) taken++;
      expect(taken).toBeLessThanOrEqual(maxOpensAtOnce + ((nowMs - startMs) * maxOpensPerSecond) / 1_000 + 1e-6);
    }
  });
  fc.assert(property, { numRuns: 100 });
});

test("a token bucket takes all tokens that something costs, or none of them", () => {
  const bucket = new TokenBucket(10, 1);
  expect(bucket.take(startMs, 8)).toBe(true);
  expect(bucket.take(startMs, 3)).toBe(false);
  expect(takeAll(bucket, startMs)).toBe(2);
});
