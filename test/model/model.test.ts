import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { describe, test } from "vitest";
import { examples } from "./examples.ts";
import { run } from "./run.ts";
import { schedules } from "./schedules.ts";

/** More by hand: `MODEL_RUNS=200000 npx vitest run test/model/model.test.ts`; a seed that failed: `MODEL_SEED=…`. */
const numRuns = Number(process.env["MODEL_RUNS"] ?? 10_000);
const seed = process.env["MODEL_SEED"];

describe("real clients and a real router, whatever breaks", () => {
  test(
    "real clients and a real router lose, double and reorder nothing, end well, and leave nothing behind, whatever breaks",
    { timeout: 3_600_000 },
    async () => {
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
