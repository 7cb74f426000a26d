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
import type { run } from "./run.ts";
import { schedules } from "./schedules.ts";

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

/** The `run` of a bundle in which a rule is missing. */
async function runWithout(mutation: Mutation, name: string): Promise<typeof run> {
  const path = join(folder, `${name}.mjs`);
  await writeFile(path, await mutatedModel(mutation));
  // The bundle exports what run.ts exports.
  const bundle = (await import(/* @vite-ignore */ pathToFileURL(path).href)) as { run: typeof run };
  return bundle.run;
}

describe("mutations of the model", () => {
  test.each([...links, ...ends, ...sessions].map((mutation, at) => [mutation.rule, at, mutation] as const))(
    "the model notices when a rule is missing: %s",
    { timeout: 120_000 },
    async (_, at, mutation) => {
      const runMutated = await runWithout(mutation, String(at));
      const property = fc.asyncProperty(schedules, (schedule) => runMutated(schedule));
      const known = examples.map(([, schedule]) => [schedule] as [typeof schedule]);
      const { failed } = await fc.check(property, { numRuns, seed, endOnFailure: true, examples: known });
      expect(failed).toBe(true);
    },
  );
});
