// `npm run release`: versions and changelogs from the changesets, then the tarballs. CONTRIBUTING.md says what comes next.
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runSync } from "../run.mjs";
import { addressesOf } from "./addresses.ts";

/** npm runs scripts in the repository's top folder. */
const root = process.cwd();
const published = ["client", "cli"];

function run(command: string, ...parameters: string[]): void {
  const { status } = runSync(command, parameters, { cwd: root });
  if (status !== 0) throw new Error(`${command} ${parameters[0] ?? ""} failed: see above`);
}

function packageJsonOf(folder: string): Record<string, unknown> {
  // Ours, or what npm has written there.
  return JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")) as Record<string, unknown>;
}

function prepare(): void {
  const { repository } = packageJsonOf(".");
  const addresses = new Map(published.map((folder) => [folder, addressesOf(repository, folder)]));
  const changed = runSync("git", ["status", "--porcelain"], { cwd: root, stdio: "pipe" }).stdout;
  if (changed !== "") throw new Error(`Cannot release with changes that are not committed:\n${changed.trimEnd()}`);

  // Without a changeset the version stays: the first release is of the version that is there.
  const changesets = globSync("*.md", { cwd: join(root, ".changeset") }).filter((file) => file !== "README.md");
  if (changesets.length > 0) run("changeset", "version");
  for (const [folder, fields] of addresses) {
    const file = join(root, folder, "package.json");
    writeFileSync(file, JSON.stringify({ ...packageJsonOf(folder), ...fields }, undefined, 2));
    run("prettier", "--write", "--log-level", "warn", file);
  }
  run("npm", "install", "--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error");
  run("node", join("scripts", "release", "pack.ts"));
  const version = String(packageJsonOf("client")["version"]);
  console.log(
    `Prepared ${version}. Read \`git diff\`, commit it as "release: ${version}", tag it v${version}, push both.`,
  );
}

try {
  prepare();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
