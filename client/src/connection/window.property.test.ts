import { limits } from "@messagepasser/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { WindowTuner } from "./window.ts";

interface Path {
  readonly roundTripMs: number;
  /** How much the path carries. */
  readonly bytesPerMs: number;
  /** How much the reader takes, where that is less. */
  readonly readerBytesPerMs?: number;
}

interface Outcome {
  readonly windowBytes: number;
  /** The most that it was on the way there. */
  readonly mostBytes: number;
  /** In the last tenth of the time. */
  readonly bytesPerMs: number;
  readonly measuredMs: number;
}

/** A sender that always has something, and a receiver that grants as `Receiver` does, in small steps of time. */
function simulate({ roundTripMs, bytesPerMs, readerBytesPerMs = Infinity }: Path, rounds: number): Outcome {
  const stepMs = Math.min(roundTripMs / 20, 1);
  const steps = Math.ceil((rounds * roundTripMs) / stepMs);
  const wayInSteps = Math.ceil(roundTripMs / (2 * stepMs));
  let nowMs = 0;
  const roundTrip = { ms: Infinity };
  const tuner = new WindowTuner(() => nowMs, roundTrip);
  let [sent, received, taken, allowed] = [0, 0, 0, 0];
  let limit = tuner.windowBytes;
  let [takenBefore, mostBytes] = [0, 0];
  // Bytes go one way and limits the other; each arrives this many steps after it left.
  const bytesOnWay = Array.from({ length: wayInSteps }, () => 0);
  const limitsOnWay = Array.from({ length: wayInSteps }, () => limit);

  for (let step = 0; step < steps; step++) {
    nowMs = step * stepMs;
    const at = step % wayInSteps;
    received += bytesOnWay[at] ?? 0;
    allowed = Math.max(allowed, limitsOnWay[at] ?? 0);
    if (received > tuner.probeLimit) tuner.passed();
    taken += Math.min(received - taken, readerBytesPerMs * stepMs);
    if (taken + tuner.windowBytes - limit >= tuner.windowBytes / 4) {
      tuner.update(taken, limit);
      limit = Math.max(limit, taken + tuner.windowBytes);
    }
    const sending = Math.min(allowed - sent, bytesPerMs * stepMs);
    sent += sending;
    bytesOnWay[at] = sending;
    limitsOnWay[at] = limit;
    mostBytes = Math.max(mostBytes, tuner.windowBytes);
    if (step === Math.floor(steps * 0.9)) takenBefore = taken;
  }
  const lastMs = stepMs * (steps - 1 - Math.floor(steps * 0.9));
  return {
    windowBytes: tuner.windowBytes,
    mostBytes,
    bytesPerMs: (taken - takenBefore) / lastMs,
    measuredMs: roundTrip.ms,
  };
}

describe("a window", () => {
  test("a window grows until it fills a long, fast path: 100 ms and 100 MB/s", () => {
    const path = { roundTripMs: 100, bytesPerMs: 100_000 };
    const { windowBytes, bytesPerMs, measuredMs } = simulate(path, 30);
    expect(windowBytes).toBeGreaterThan(path.roundTripMs * path.bytesPerMs);
    expect(bytesPerMs).toBeGreaterThan(0.95 * path.bytesPerMs);
    expect(measuredMs).toBeGreaterThanOrEqual(100);
    expect(measuredMs).toBeLessThan(110);
  });

  test("a window stays small where the path is short: 0.3 ms and 200 MB/s", () => {
    const path = { roundTripMs: 0.3, bytesPerMs: 200_000 };
    const { mostBytes, bytesPerMs } = simulate(path, 10_000);
    expect(mostBytes).toBeLessThan(limits.maxWindowBytes / 8);
    expect(bytesPerMs).toBeGreaterThan(0.95 * path.bytesPerMs);
  });

  test("a window doesn't grow for a slow reader: 1 MB/s at the end of a fast path", () => {
    const { mostBytes } = simulate({ roundTripMs: 100, bytesPerMs: 100_000, readerBytesPerMs: 1_000 }, 200);
    expect(mostBytes).toBe(limits.firstWindowBytes);
  });

  test("a window is never much larger than what arrives in two round trips and the slack, nor than its maximum", () => {
    const path = fc.record({
      roundTripMs: fc.double({ min: 0.2, max: 300, noNaN: true }),
      bytesPerMs: fc.integer({ min: 10, max: 300_000 }),
      readerBytesPerMs: fc.integer({ min: 10, max: 300_000 }),
    });
    fc.assert(
      fc.property(path, (each) => {
        const { mostBytes, measuredMs } = simulate(each, 100);
        const slackMs = 8;
        const needed = Math.min(each.bytesPerMs, each.readerBytesPerMs) * (2 * each.roundTripMs + slackMs);
        // While credit is never waited for, the time that a window lasts is taken for the round trip.
        expect(mostBytes).toBeLessThan(1.3 * (needed + 2 * limits.firstWindowBytes));
        expect(mostBytes).toBeLessThanOrEqual(limits.maxWindowBytes);
        // Nothing is ever measured as faster than it is.
        expect(measuredMs).toBeGreaterThanOrEqual(each.roundTripMs * 0.999);
      }),
    );
  });

  test("a window lets a fast reader have all that the path carries within 40 round trips, up to half of the largest window in one", () => {
    const path = fc.record({
      roundTripMs: fc.double({ min: 1, max: 200, noNaN: true }),
      bytesPerMs: fc.integer({ min: 100, max: 200_000 }),
    });
    fc.assert(
      fc.property(path, (each) => {
        // A window is to be twice what is under way.
        const possible = Math.min(each.bytesPerMs, limits.maxWindowBytes / each.roundTripMs / 2);
        expect(simulate(each, Math.max(40, 800 / each.roundTripMs)).bytesPerMs).toBeGreaterThan(0.95 * possible);
      }),
    );
  });

  test("a window grows to at most twice its size for one burst, and never shrinks when less arrives", () => {
    let nowMs = 0;
    const tuner = new WindowTuner(() => nowMs, { ms: 50 });
    nowMs = 60;
    tuner.update(100_000_000, 100_000_000);
    expect(tuner.windowBytes).toBe(2 * limits.firstWindowBytes);
    nowMs = 10_000;
    tuner.update(100_000_001, 100_000_000);
    expect(tuner.windowBytes).toBe(2 * limits.firstWindowBytes);
  });

  test("a window takes no rate from less than 10 ms or a round trip, nor from any time before a round trip was measured", () => {
    for (const [ms, isEnough] of [
      [9, false],
      [10, true],
    ] as const) {
      let nowMs = 0;
      const tuner = new WindowTuner(() => nowMs, { ms: 0.1 });
      nowMs = ms;
      tuner.update(10_000_000, 0);
      expect(tuner.windowBytes > limits.firstWindowBytes).toBe(isEnough);
    }
    let nowMs = 0;
    const tuner = new WindowTuner(() => nowMs, { ms: Infinity });
    nowMs = 1_000;
    tuner.update(1_000_000_000, 0);
    expect(tuner.windowBytes).toBe(limits.firstWindowBytes);
  });

  test("a window measures the round trip again and again, from one credit to the first byte that needed it, and keeps the shortest", () => {
    let nowMs = 0;
    const roundTrip = { ms: Infinity };
    const tuner = new WindowTuner(() => nowMs, roundTrip);
    const measured = [70, 30, 90].map((ms, round) => {
      tuner.update(0, 1_000 * round);
      expect(tuner.probeLimit).toBe(1_000 * round);
      nowMs += ms / 2;
      // Credit that comes meanwhile begins no other measurement.
      tuner.update(0, 1_000 * round + 500);
      nowMs += ms / 2;
      tuner.passed();
      return roundTrip.ms;
    });
    expect(measured).toEqual([70, 30, 30]);
  });
});
