import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { examples } from "./examples.ts";
import { mutatedModel, type Mutation } from "./mutate.ts";
import { ends } from "./mutations-of-ends.ts";
import { links } from "./mutations-of-links.ts";
import { sessions } from "./mutations-of-sessions.ts";
import { shards } from "./mutations-of-shards.ts";
import { trunks } from "./mutations-of-trunks.ts";
import type { run } from "./run.ts";
import { schedules, shardSchedules } from "./schedules.ts";
import { type runTrunks, trunkSchedules } from "./trunks.ts";

/** Enough schedules: each mutation is found within 1,000, and most within 50. The seed is fixed, so a run finds them again. */
const numRuns = 3_000;
const seed = 1;

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "messagepasser-mutations-"));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

/** A bundle in which a rule is missing. @param entry see `mutatedModel` */
async function bundleWithout(mutation: Mutation, name: string, entry?: string): Promise<unknown> {
  const path = join(folder, `${name}.mjs`);
  await writeFile(path, await mutatedModel(mutation, entry));
  return await import(/* @vite-ignore */ pathToFileURL(path).href);
}

describe("mutations of the model", () => {
  const ofOneObject = [...links, ...ends, ...sessions].map((mutation) => ({ mutation, schedules }));
  const ofSeveral = shards.map((mutation) => ({ mutation, schedules: shardSchedules }));

  test.each([...ofOneObject, ...ofSeveral].map((each, at) => [each.mutation.rule, at, each] as const))(
    "the model notices when a rule is missing: %s",
    { timeout: 120_000 },
    async (_, at, { mutation, schedules }) => {
      // The bundle exports what run.ts exports.
      const mutated = (await bundleWithout(mutation, String(at))) as { run: typeof run };
      const property = fc.asyncProperty(schedules, (schedule) => mutated.run(schedule));
      const known = examples.map(([, schedule]) => [schedule] as [typeof schedule]);
      const { failed } = await fc.check(property, { numRuns, seed, endOnFailure: true, examples: known });
      expect(failed).toBe(true);
    },
  );

  test.each(trunks.map((mutation, at) => [mutation.rule, at, mutation] as const))(
    "the model of trunks notices when a rule is missing: %s",
    { timeout: 120_000 },
    async (_, at, mutation) => {
      // The bundle exports what trunks.ts exports.
      const mutated = (await bundleWithout(mutation, `trunk-${at}`, "trunks.ts")) as { runTrunks: typeof runTrunks };
      const property = fc.property(trunkSchedules, (schedule) => {
        mutated.runTrunks(schedule);
      });
      expect(fc.check(property, { numRuns, seed, endOnFailure: true }).failed).toBe(true);
    },
  );
});
