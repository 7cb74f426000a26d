import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { describe, test } from "vitest";
import { examples } from "./examples.ts";
import { run } from "./run.ts";
import { schedules, shardSchedules } from "./schedules.ts";

/** More by hand: `MODEL_RUNS=200000 npx vitest run test/model/model.test.ts`; a seed that failed: `MODEL_SEED=…`. */
const mostRuns = process.env["MODEL_RUNS"];
const seed = process.env["MODEL_SEED"];

describe("real clients and a real router, whatever breaks", () => {
  test.each([
    ["a real router", schedules, 8_500],
    ["a real router of several objects", shardSchedules, 1_500],
  ])(
    "real clients and %s lose, double and reorder nothing, end well, and leave nothing behind, whatever breaks",
    { timeout: 3_600_000 },
    async (_, schedules, fewRuns) => {
      const numRuns = Number(mostRuns ?? fewRuns);
      let runs = 0;
      const property = fc.asyncProperty(schedules, async (schedule) => {
        // Whatever a WeakRef refers to lives until the event loop turns, and a schedule never leaves the microtasks.
        if (++runs % 100 === 0) await setImmediate();
        await run(schedule);
      });
      const result = await fc.check(property, { numRuns, ...(seed !== undefined && { seed: Number(seed) }) });
      if (!result.failed) return;
      const [schedule] = result.counterexample ?? [];
      console.error(`MODEL_SEED=${result.seed}, after ${result.numRuns} schedules: ${JSON.stringify(schedule)}`);
      // Once more, for the notes of all that happened.
      if (schedule !== undefined) await run(schedule, true);
      throw new Error("The schedule fails only now and then");
    },
  );
});

test.each(examples)("this schedule breaks no rule: %s", async (_, schedule) => {
  await run(schedule, true);
});
