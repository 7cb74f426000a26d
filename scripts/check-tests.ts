// Each test file in the repository belongs to exactly one project of Vitest, so that `npm test` runs it once.
import { execFileSync } from "node:child_process";
import { matchesGlob } from "node:path";
import config from "../vitest.config.ts";

interface Project {
  readonly test?: { readonly name?: unknown; readonly include?: readonly string[] };
}

// vitest.config.ts writes its projects as objects.
const projects = (config.test?.projects ?? []) as readonly Project[];
const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "*.test.ts"], {
  encoding: "utf8",
});
let hasFailed = false;
for (const file of files.split("\n").filter(Boolean)) {
  const names = projects
    .filter(({ test }) => test?.include?.some((pattern) => matchesGlob(file, pattern)))
    .map(({ test }) => String(test?.name));
  if (names.length === 1) continue;
  hasFailed = true;
  console.error(`${file} is in ${names.length === 0 ? "no project" : names.join(" and ")} of vitest.config.ts`);
}
if (hasFailed) process.exitCode = 1;
