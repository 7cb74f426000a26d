// `npm run example FILE …`: runs an example of examples/ with this repository's Node.
import { existsSync, globSync } from "node:fs";
import { join } from "node:path";
import { run } from "./run.mjs";

const directory = join(import.meta.dirname, "..", "examples");
const [file = "", ...parameters] = process.argv.slice(2);
const path = join(directory, file);
if (file === "" || !existsSync(path)) {
  console.error(
    `Usage: npm run example FILE, where FILE is one of:\n${globSync("*/*.ts", { cwd: directory }).toSorted().join("\n")}`,
  );
  process.exitCode = 2;
} else {
  process.exitCode = await run(process.execPath, [path, ...parameters]);
}
