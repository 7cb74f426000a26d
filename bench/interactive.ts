// `npm run bench:interactive`: a round trip of 64 B beside bulk between the same two clients, one of them on a slow line.
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { addClient } from "../scripts/admin-client.ts";
import type { startRouter } from "../scripts/router.ts";
import { Child, type Command } from "./processes/child.ts";
import { nodeCommand } from "./processes/compiled.ts";
import type { InteractiveCalls } from "./processes/interactive-process.ts";
import type { LineCalls, LineSpeeds } from "./processes/slow-line.ts";
import { quantile } from "./report/statistics.ts";

const help = `Usage: npm run bench:interactive -- [options] [CASE...]

A case is a direction, a rate in Mbit/s, and how many Connections send bulk if more than one: "up-2", "down-10", "both-100",
"up-2x10". "up-drop" and "down-drop" are lines of 50 Mbit/s that fall to 2. Default: all that the page has.

  --rounds N         how often each case is measured. Default: 3
  --seconds N        how long a round lasts. Default: 6
  --against DIR      another checkout, built, whose router and clients take turns with these
  --help             print this
`;

const lineDelayMs = 20;
const [fastMegabits, slowMegabits] = [50, 2];
/** Small where a line is slow, so that what has arrived is counted finely. */
const messageBytes = 16_384;
/** Past this over the idle round trip, a line that fell has not settled. */
const settledMs = 70;
const allCases = [
  ...["up", "down", "both"].flatMap((direction) => [2, 10, 100].map((rate) => `${direction}-${rate}`)),
  "up-2x10",
  "down-2x10",
  "up-drop",
  "down-drop",
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "6" },
    against: { type: "string" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) process.stdout.write(help);
else await run(positionals.length > 0 ? positionals : allCases);

async function run(cases: readonly string[]): Promise<void> {
  const root = join(import.meta.dirname, "..");
  const checkouts = [["this", root]];
  if (values.against !== undefined) checkouts.push(["against", values.against]);
  for (const name of cases) {
    for (let round = 0; round < Number(values.rounds); round++) {
      // The first of a round takes turns, too.
      for (const [title = "", checkout = ""] of round % 2 === 0 ? checkouts : checkouts.toReversed()) {
        const figures = Object.entries(await measured(name, checkout)).map(
          ([key, value]) => `${key} ${value.toFixed(1)}`,
        );
        console.log(`${name.padEnd(10)} ${title.padEnd(8)} ${figures.join("  ")}`);
      }
    }
  }
}

/** One round of a case, with all processes new. Times in ms, rates in Mbit/s. */
async function measured(name: string, checkout: string): Promise<Record<string, number>> {
  const [, direction, rate = "", connections = "1"] = /^(up|down|both)-(drop|\d+)(?:x(\d+))?$/.exec(name) ?? [];
  if (direction === undefined) throw new TypeError(`No such case: "${name}"`);
  const isDrop = rate === "drop";
  await using own = new AsyncDisposableStack();
  const scripts = join(checkout, "scripts");
  const { startRouter: start } = (await import(join(scripts, "router.ts"))) as { startRouter: typeof startRouter };
  const { addClient: add } = (await import(join(scripts, "admin-client.ts"))) as { addClient: typeof addClient };
  const module = join(checkout, "client/dist/node.js");
  const router = own.use(await start());
  const commandOf = (file: string): Command => nodeCommand(join(import.meta.dirname, "processes", file));
  const line = own.use(new Child<LineCalls>("slow line", commandOf("slow-line.ts")));
  const { hostname: host, port } = router.url;
  const linePort = await line.call("listen", { host, port: Number(port) });
  await line.call("set", speedsOf(isDrop ? fastMegabits : Number(rate)));
  const connect = async (who: string, url: string): Promise<Child<InteractiveCalls>> => {
    const child = own.use(new Child<InteractiveCalls>(`process of ${who}`, commandOf("interactive-process.ts")));
    await child.call("connect", { module, url, name: who, secret: await add(router, who) });
    return child;
  };
  const [bob, alice] = [await connect("bob", router.url.href), await connect("alice", `ws://127.0.0.1:${linePort}/`)];
  const talk = async (durationMs: number) => await alice.call("timeRoundTrips", { peer: "bob", durationMs });
  const idle = (await talk(1_500)).map(({ tookMs }) => tookMs);
  const bulk = { connections: Number(connections), messageBytes };
  if (direction !== "down") await alice.call("sendBulk", { peer: "bob", ...bulk });
  if (direction !== "up") await bob.call("sendBulk", { peer: "alice", ...bulk });
  await delay(3_000);
  if (isDrop) await line.call("set", speedsOf(slowMegabits));
  const before = [await bob.call("received"), await alice.call("received")];
  const trips = await talk(Number(values.seconds) * 1_000);
  const after = [await bob.call("received"), await alice.call("received")];
  const [up = 0, down = 0] = after.map(({ bytes, timeMs }, at) => {
    const then = before[at] ?? { bytes, timeMs };
    return (bytes - then.bytes) / (timeMs - then.timeMs) / 125;
  });
  const took = trips.map(({ tookMs }) => tookMs);
  const late = trips.findLast(({ tookMs }) => tookMs > quantile(idle, 0.5) + settledMs);
  const settled: Record<string, number> = isDrop ? { settled: late === undefined ? 0 : late.fromMs + late.tookMs } : {};
  return {
    "idle p50": quantile(idle, 0.5),
    "idle p95": quantile(idle, 0.95),
    p50: quantile(took, 0.5),
    p95: quantile(took, 0.95),
    ...settled,
    up,
    down,
  };
}

function speedsOf(megabitsPerSecond: number): LineSpeeds {
  const speed = { megabitsPerSecond, delayMs: lineDelayMs };
  return { up: speed, down: speed };
}
