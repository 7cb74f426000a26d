// Makes the tarballs that a release publishes, in release/, and has npm go through publishing them without doing it.
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { runSync } from "../run.mjs";

const root = join(import.meta.dirname, "..", "..");
const target = join(root, "release");

function run(command: string, ...parameters: string[]): void {
  const { status } = runSync(command, parameters, { cwd: root });
  if (status !== 0) throw new Error(`${command} ${parameters.join(" ")} failed: see above`);
}

rmSync(target, { recursive: true, force: true });
mkdirSync(target);
run("node", join("scripts", "build.ts"), "--types");
run("node", join("scripts", "docs", "main.ts"));
for (const [folder, prefix] of [
  ["client", "messagepasser"],
  ["cli", "messagepasser-cli"],
] as const) {
  const { version } = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")) as { version: string };
  run("npm", "pack", `./${folder}`, "--ignore-scripts", "--loglevel=error", "--pack-destination", target);
  run("npm", "publish", join(target, `${prefix}-${version}.tgz`), "--dry-run", "--loglevel=error");
}
