// `npm run dev`: `wrangler dev`, with an admin token and a pepper made at the first run.
import { randomBytes } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./run.mjs";

const variables = join(import.meta.dirname, "..", ".dev.vars");
if (!existsSync(variables)) {
  const random = (): string => randomBytes(32).toString("base64url");
  writeFileSync(variables, `MP_ADMIN_TOKEN=${random()}\nMP_PEPPER=${random()}\n`, { mode: 0o600 });
}
console.log(`Admin token: see MP_ADMIN_TOKEN in ${variables}`);
process.exitCode = await run("wrangler", ["dev", ...process.argv.slice(2)]);
