// What happens to some while others do their worst: figures that show what no test should assert. README.md has more.
import { stalled } from "./stalled.ts";
import { turns } from "./turns.ts";

const scenes = { stalled, turns };
const help = `Usage: npm run load -- [SCENE…]

  stalled   ten clients stop reading while others send as fast as they can: the router's memory, and who notices
  turns     a bulk transfer saturates a link: round trips of another Connection on it

Without a scene: all of them, in about two minutes.
`;

const names = process.argv.slice(2);
const unknown = names.find((name) => !(name in scenes));
if (unknown !== undefined) {
  process.stderr.write(help);
  process.exitCode = unknown === "--help" ? 0 : 2;
} else {
  for (const [name, scene] of Object.entries(scenes)) {
    if (names.length > 0 && !names.includes(name)) continue;
    process.stderr.write(`${name} …\n`);
    for (const line of await scene()) console.log(`${name}: ${line}`);
  }
}
