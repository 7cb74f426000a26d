import { limits } from "@messagepasser/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Budget, Share } from "./budget.ts";
import { Quota } from "./quota.ts";

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
  test("a budget counts what is granted, gives at most half of what is free, and always gives the required minimum", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const budget = new Budget();
        const granted: number[] = [];
        const free = (): number => budget.totalBytes - granted.reduce((sum, each) => sum + each, 0);
        for (const each of steps) {
          if (each.do === "total") budget.allow(each.totalBytes);
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

  test("a budget is never overdrawn by receivers that need nothing, however many there are", () => {
    const budget = new Budget();
    for (let taken = 0; taken < 1_000; taken++) budget.take(limits.maxWindowBytes, 0);
    expect(budget.has(0)).toBe(true);
  });
});

describe("a share of a budget", () => {
  test("the share of a peer that never stops asking leaves a quarter for others, and theirs leaves a quarter of that", () => {
    const budget = new Budget();
    const total = budget.totalBytes;
    for (let leftBytes = total; leftBytes > 100_000; leftBytes = budget.freeBytes) {
      const share = new Share(budget);
      for (let asked = 0; asked < 1_000; asked++) share.take(limits.maxWindowBytes, 0);
      expect(budget.freeBytes).toBeGreaterThanOrEqual(leftBytes / 4);
      expect(budget.freeBytes).toBeLessThan(leftBytes / 4 + 1_000);
      expect(share.has(1_000)).toBe(false);
    }
  });

  test("a share counts what is granted beyond it, and has everything again once that is given back", () => {
    const budget = new Budget();
    const share = new Share(budget);
    const granted = Array.from({ length: 1_000 }, () => share.take(0, limits.minWindowBytes));
    expect(share.take(limits.maxWindowBytes, 0)).toBe(0);
    for (const bytes of granted) share.give(bytes);
    expect([share.isEmpty, budget.freeBytes]).toEqual([true, budget.totalBytes]);
    expect(share.has(Math.floor(budget.totalBytes * 0.75))).toBe(true);
  });
});

describe("a quota of unacknowledged bytes", () => {
  const frameBytes = limits.maxPayloadBytes + limits.frameCostBytes;

  /** Keeps frames for a peer until it may not. */
  function fill(kept: Quota): number {
    let bytes = 0;
    for (; !kept.isFull; bytes += frameBytes) kept.add(frameBytes);
    return bytes;
  }

  test("the quota for peers that acknowledge nothing is half of what is left for each, and something for all", () => {
    const total = { bytes: 0, maxBytes: limits.maxUnacknowledgedBytes };
    for (let peer = 0, leftBytes = limits.maxUnacknowledgedBytes; peer < 100; peer++) {
      const bytes = fill(new Quota(total));
      // To the frame that goes past it.
      expect(bytes).toBeGreaterThanOrEqual(Math.max(leftBytes / 2, frameBytes));
      expect(bytes).toBeLessThan(Math.max(leftBytes / 2, 0) + 2 * frameBytes);
      leftBytes -= bytes;
    }
    expect(total.bytes).toBeLessThan(limits.maxUnacknowledgedBytes + 100 * frameBytes);
  });

  test("the quota is counted for each peer and for all, whichever acknowledges bytes, and holds up no peer with nothing under way", () => {
    const step = fc.record({ peer: fc.nat(4), bytes: fc.nat(8_000_000), isSent: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: "max" }), (steps) => {
        const total = { bytes: 0, maxBytes: limits.maxUnacknowledgedBytes };
        const peers = Array.from({ length: 5 }, () => ({ kept: new Quota(total), bytes: 0 }));
        for (const { peer: at, bytes, isSent } of steps) {
          const peer = peers[at];
          if (peer === undefined || (isSent && peer.kept.isFull)) continue;
          const change = isSent ? bytes : -Math.min(bytes, peer.bytes);
          peer.kept.add(change);
          peer.bytes += change;
          const sum = peers.reduce((bytesSoFar, each) => bytesSoFar + each.bytes, 0);
          expect(total.bytes).toBe(sum);
          for (const each of peers) {
            const mayKeep = each.bytes === 0 || sum + each.bytes < limits.maxUnacknowledgedBytes;
            expect(each.kept.isFull).toBe(!mayKeep);
          }
        }
      }),
    );
  });
});
