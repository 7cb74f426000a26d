// What happens to some while others do their worst: figures that show what no test should assert. README.md has more.
import { connects } from "./connects.ts";
import { stalled } from "./stalled.ts";
import { stuck } from "./stuck.ts";
import { turns } from "./turns.ts";
import { wake } from "./wake.ts";

const scenes = { connects, stalled, stuck, turns, wake };
const help = `Usage: npm run load -- [SCENE…]

  connects  clients connect one after the other, with and without authentication
  stalled   ten clients stop reading while others send as fast as they can: the router's memory, and who notices
  stuck     one receiver of ten never reads: the speed of the other nine
  turns     a bulk transfer saturates a link: round trips of another Connection on it
  wake      the object hibernates with 10,000 idle links: the first round trip after that

Without a scene: all of them, in about four minutes.
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
