// `npm run dev`: `wrangler dev`, with an admin token and a pepper made at the first run.
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const variables = join(import.meta.dirname, "..", ".dev.vars");
if (!existsSync(variables)) {
  const random = (): string => randomBytes(32).toString("base64url");
  writeFileSync(variables, `MP_ADMIN_TOKEN=${random()}\nMP_PEPPER=${random()}\n`, { mode: 0o600 });
  console.log(`Made an admin token and a pepper for development: see ${variables}`);
}
const { status } = spawnSync("wrangler", ["dev", ...process.argv.slice(2)], { stdio: "inherit" });
process.exitCode = status ?? 1;
