import { describe, expect, test } from "vitest";
import { compare, medianOf, tellingDeviations, timesOf } from "./statistics.ts";

/** Numbers that look random, and are the same in each run. */
function sequence(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Times as a busy machine has them: about 0.6 ms, with a long tail. */
function answerTime(random: () => number): number {
  const busyMs = random() < 0.05 ? 20 * random() : 0;
  return 0.5 + 0.1 * (random() + random() + random()) + busyMs;
}

const rounds = 400;

describe("the comparison of times", () => {
  test("the comparison of times finds nothing between two samples of one kind, in a hundred tries", () => {
    for (let seed = 1; seed <= 100; seed++) {
      const random = sequence(seed);
      const [one, other] = [0, 1].map(() => Array.from({ length: rounds }, () => answerTime(random)));
      expect(compare(one ?? [], other ?? []).deviations).toBeLessThan(tellingDeviations);
    }
  });

  test.for([0.05, 0.1, 1])(
    "the comparison of times finds a delay of %d ms in one of two samples, in a hundred tries",
    (delayMs) => {
      for (let seed = 1; seed <= 100; seed++) {
        const random = sequence(seed);
        const one = Array.from({ length: rounds }, () => answerTime(random) + delayMs);
        const other = Array.from({ length: rounds }, () => answerTime(random));
        const { deviations, likelihood } = compare(one, other);
        expect(deviations).toBeGreaterThan(tellingDeviations);
        expect(likelihood).toBeGreaterThan(0.5);
        expect(compare(other, one).likelihood).toBeCloseTo(1 - likelihood);
      }
    },
  );

  test("the comparison of times finds a delay in alternating samples, though the machine grows slower all the while", async () => {
    const random = sequence(7);
    let now = 0;
    let slownessMs = 0;
    const answer = (delayMs: number) => () => {
      now += answerTime(random) + delayMs + (slownessMs += 0.001);
      return Promise.resolve();
    };
    const kinds = { plain: answer(0), alike: answer(0), delayed: answer(0.3) };
    const { plain, alike, delayed } = await timesOf(kinds, rounds, () => now);
    expect(compare(plain, alike).deviations).toBeLessThan(tellingDeviations);
    expect(compare(delayed, plain).deviations).toBeGreaterThan(tellingDeviations);
    expect(medianOf(delayed)).toBeGreaterThan(medianOf(plain));
  });

  test("the comparison of times takes equal values for alike", () => {
    expect(compare([1, 1, 1, 2], [1, 1, 1, 2])).toEqual({ likelihood: 0.5, deviations: 0 });
    expect(compare([2, 2], [1, 1]).likelihood).toBe(1);
  });
});
