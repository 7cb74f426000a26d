// `npm run docs`: the client's API reference in client/docs, made of the docstrings in the built declarations. It fails for
// what is exported without one. The reference isn't committed: each release carries its own.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { runSync } from "../run.mjs";

const root = join(import.meta.dirname, "..", "..");
const typedoc = join(import.meta.dirname, "node_modules", "typedoc", "bin", "typedoc");

function run(cwd: string, command: string, ...parameters: string[]): void {
  const { status } = runSync(command, parameters, { cwd });
  if (status !== 0) process.exit(1);
}

// Not "npm ci": see scripts/with-dependencies.mjs.
if (!existsSync(typedoc))
  run(import.meta.dirname, "npm", "install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error");
run(root, "node", join("scripts", "build.ts"), "--types");
run(import.meta.dirname, "node", typedoc);
