import fc from "fast-check";
import { test } from "vitest";
import { runTrunks, trunkSchedules } from "./trunks.ts";

test("what shards tell each other comes once and in order, or both ends know that it is lost", () => {
  const property = fc.property(trunkSchedules, (schedule) => {
    runTrunks(schedule);
  });
  fc.assert(property, { numRuns: Number(process.env["MP_TRUNK_RUNS"] ?? 1_000) });
});
