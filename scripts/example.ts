// `npm run example FILE …`: runs an example of examples/ with this repository's Node.
import { globSync } from "node:fs";
import { join } from "node:path";
import { run } from "./run.mjs";

const directory = join(import.meta.dirname, "..", "examples");
const [file = "", ...parameters] = process.argv.slice(2);
const examples = globSync("*/*.ts", { cwd: directory }).toSorted();
if (!examples.includes(file)) {
  console.error(`Usage: npm run example FILE, where FILE is one of:\n${examples.join("\n")}`);
  process.exitCode = 2;
} else {
  process.exitCode = await run(process.execPath, [join(directory, file), ...parameters]);
}
