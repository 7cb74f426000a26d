// Runs a command of this repository on a fresh clone: installs what is missing, builds what the command imports, then
// starts it with the Node and the tools of node_modules. Plain JavaScript for Node 20, since nothing is installed yet.
import { copyFileSync, existsSync, readFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "./run.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const lockfile = join(root, "package-lock.json");
const installed = join(root, "node_modules", ".installed-lockfile.json");
const binaries = join(root, "node_modules", ".bin");
const environment = {
  ...process.env,
  PATH: binaries + delimiter + (process.env["PATH"] ?? ""),
  WRANGLER_SEND_METRICS: process.env["WRANGLER_SEND_METRICS"] ?? "false",
};

const inRoot = { cwd: root, env: environment };

function isInstalled() {
  return existsSync(installed) && readFileSync(installed, "utf8") === readFileSync(lockfile, "utf8");
}

if (!isInstalled()) {
  console.error("Installing dependencies from the npm registry (once; about half a minute) …");
  // Not "npm ci": that wants every platform's optional packages in the lockfile, and not every registry has them all.
  const status = await run("npm", ["install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"], inRoot);
  if (status !== 0) {
    console.error("npm install failed: see above. This needs Node 20 or newer, npm and a way to the npm registry.");
    process.exit(status);
  }
  copyFileSync(lockfile, installed);
}
const [command, ...parameters] = process.argv.slice(2);
const built = await run("node", [join("scripts", "build.ts")], inRoot);
process.exit(built === 0 && command !== undefined ? await run(command, parameters, inRoot) : built);
