// `npm run simulate`: a realm of a million clients over many shards, through the code that routes in a deployed one.
import { parseArgs } from "node:util";
import { maxShards } from "./limits.ts";
import { reportOf, textOf } from "./report.ts";
import { million, type Scenario } from "./scenario.ts";
import { simulate } from "./simulation.ts";

const help = `Usage: npm run simulate -- [options]

What each shard of a large realm has to bear, and what it costs. Messages, calls and links go through the router's own
routing and trunks, in one process, by a simulated clock.

  --clients N       clients that are connected (default: ${million.clients})
  --shards N        objects over which the realm is spread (default: ${million.shards})
  --chatty PERCENT  of the clients, those that ask a peer now and then (default: ${100 * million.chatty})
  --asks N          how often each of these asks, a second (default: ${million.asksPerSecond})
  --afar PERCENT    of these, those that ask anybody, and not a peer of their own site (default: ${100 * million.afar})
  --connects N      how often a month each client connects (default: ${million.connects})
  --seconds N       how long the traffic is counted (default: ${million.seconds})
  --json            print JSON
  --help            print this

A million clients take about 2 GiB and a minute or two.
`;

try {
  run();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}

function run(): void {
  const { values } = parseArgs({
    options: {
      clients: { type: "string", default: String(million.clients) },
      shards: { type: "string", default: String(million.shards) },
      chatty: { type: "string", default: String(100 * million.chatty) },
      asks: { type: "string", default: String(million.asksPerSecond) },
      afar: { type: "string", default: String(100 * million.afar) },
      connects: { type: "string", default: String(million.connects) },
      seconds: { type: "string", default: String(million.seconds) },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return;
  }
  const scenario: Scenario = {
    clients: Math.floor(numberIn("clients", values.clients, 100, 10_000_000)),
    shards: Math.floor(numberIn("shards", values.shards, 1, maxShards)),
    chatty: numberIn("chatty", values.chatty, 0, 50) / 100,
    asksPerSecond: numberIn("asks", values.asks, 0.001, 1_000),
    afar: numberIn("afar", values.afar, 0, 100) / 100,
    connects: numberIn("connects", values.connects, 0, 100_000),
    seconds: numberIn("seconds", values.seconds, 1, 3_600),
  };
  const startedMs = performance.now();
  const report = reportOf(simulate(scenario, heapBytes));
  process.stdout.write(values.json ? `${JSON.stringify(report, null, 2)}\n` : textOf(report));
  const seconds = Math.round((performance.now() - startedMs) / 1_000);
  process.stderr.write(`It took ${seconds} s and ${Math.round(process.resourceUsage().maxRSS / 1_024)} MiB.\n`);
}

/** @throws Error where Node wasn't started with --expose-gc */
function heapBytes(): number {
  if (globalThis.gc === undefined) throw new Error("Start it by `npm run simulate`: it needs node --expose-gc");
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** @throws Error that says what is wrong with an option */
function numberIn(option: string, text: string, least: number, most: number): number {
  const number = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new Error(`--${option} must be a number from ${least} to ${most}, not "${text}"`);
}
