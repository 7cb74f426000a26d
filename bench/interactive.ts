// `npm run bench:interactive`: a round trip of 64 B beside bulk between the same two clients, one of them on a slow line.
// SSH's multiplexing takes turns with the router, over the same line.
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
import { Ssh } from "./systems/ssh.ts";

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

/** Two ends that talk and send bulk over a line. */
interface Pair {
  timeRoundTrips(durationMs: number): Promise<readonly { readonly fromMs: number; readonly tookMs: number }[]>;
  sendBulk(direction: string, connections: number): Promise<void>;
  /** Bytes of bulk that have arrived, up and down, and when. */
  received(): Promise<readonly { readonly bytes: number; readonly timeMs: number }[]>;
}

/** Starts both ends, one of them behind the line. @param own what ends with them. */
type StartPair = (line: Child<LineCalls>, own: AsyncDisposableStack) => Promise<Pair>;

async function run(cases: readonly string[]): Promise<void> {
  const contenders: [string, StartPair][] = [["this", pairOf(join(import.meta.dirname, ".."))]];
  if (values.against !== undefined) contenders.push(["against", pairOf(values.against)]);
  if (Ssh.isMissing) console.log("SSH's multiplexing takes no part: OpenSSH's server isn't installed");
  else contenders.push(["ssh", startSsh]);
  for (const name of cases) {
    for (let round = 0; round < Number(values.rounds); round++) {
      // The first of a round takes turns, too.
      for (const [title, start] of round % 2 === 0 ? contenders : contenders.toReversed()) {
        const figures = Object.entries(await measured(name, start)).map(([key, value]) => `${key} ${value.toFixed(2)}`);
        console.log(`${name.padEnd(10)} ${title.padEnd(8)} ${figures.join("  ")}`);
      }
    }
  }
}

/** One round of a case, with all processes new. Times in ms, rates in Mbit/s. */
async function measured(name: string, start: StartPair): Promise<Record<string, number>> {
  const [, direction, rate = "", connections = "1"] = /^(up|down|both)-(drop|\d+)(?:x(\d+))?$/.exec(name) ?? [];
  if (direction === undefined) throw new TypeError(`No such case: "${name}"`);
  const isDrop = rate === "drop";
  await using own = new AsyncDisposableStack();
  const line = own.use(new Child<LineCalls>("slow line", commandOf("slow-line.ts")));
  await line.call("set", speedsOf(isDrop ? fastMegabits : Number(rate)));
  const pair = await start(line, own);
  const idle = (await pair.timeRoundTrips(1_500)).map(({ tookMs }) => tookMs);
  for (const each of ["up", "down"])
    if (direction === each || direction === "both") await pair.sendBulk(each, Number(connections));
  await delay(3_000);
  if (isDrop) await line.call("set", speedsOf(slowMegabits));
  const before = await pair.received();
  const trips = await pair.timeRoundTrips(Number(values.seconds) * 1_000);
  const after = await pair.received();
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

function commandOf(file: string): Command {
  return nodeCommand(join(import.meta.dirname, "processes", file));
}

/** Two clients of a router, both of this checkout. */
function pairOf(checkout: string): StartPair {
  return async (line, own) => {
    const scripts = join(checkout, "scripts");
    const { startRouter: start } = (await import(join(scripts, "router.ts"))) as { startRouter: typeof startRouter };
    const { addClient: add } = (await import(join(scripts, "admin-client.ts"))) as { addClient: typeof addClient };
    const module = join(checkout, "client/dist/node.js");
    const router = own.use(await start());
    const linePort = await line.call("listen", { host: router.url.hostname, port: Number(router.url.port) });
    const connect = async (who: string, url: string): Promise<Child<InteractiveCalls>> => {
      const child = own.use(new Child<InteractiveCalls>(`process of ${who}`, commandOf("interactive-process.ts")));
      await child.call("connect", { module, url, name: who, secret: await add(router, who) });
      return child;
    };
    const [bob, alice] = [await connect("bob", router.url.href), await connect("alice", `ws://127.0.0.1:${linePort}/`)];
    return {
      timeRoundTrips: async (durationMs) => await alice.call("timeRoundTrips", { peer: "bob", durationMs }),
      sendBulk: async (direction, connections) => {
        const [sender, peer] = direction === "up" ? [alice, "bob"] : [bob, "alice"];
        await sender.call("sendBulk", { peer, connections, messageBytes });
      },
      received: async () => [await bob.call("received"), await alice.call("received")],
    };
  };
}

async function startSsh(line: Child<LineCalls>, own: AsyncDisposableStack): Promise<Pair> {
  const ssh = own.use(await Ssh.start());
  await ssh.connect(await line.call("listen", { host: "127.0.0.1", port: ssh.port }));
  return {
    timeRoundTrips: async (durationMs) => await ssh.timeRoundTrips(durationMs),
    sendBulk: (direction, connections) => {
      for (let count = 0; count < connections; count++) {
        if (direction === "up") ssh.sendUp(messageBytes);
        else ssh.sendDown();
      }
      return Promise.resolve();
    },
    received: () => Promise.resolve(ssh.bytes.map((bytes) => ({ bytes, timeMs: performance.now() }))),
  };
}

function speedsOf(megabitsPerSecond: number): LineSpeeds {
  const speed = { megabitsPerSecond, delayMs: lineDelayMs };
  return { up: speed, down: speed };
}
