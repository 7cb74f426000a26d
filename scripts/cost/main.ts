// `npm run cost`: what traffic costs in a month on Cloudflare, by what the router itself counts of it.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { routerLimits } from "@messagepasser/protocol";
import { measure } from "./measure.ts";
import type { Measured, Workload } from "./model.ts";
import { requestsPerCall, type Trunk } from "./prices.ts";
import { recorded, recordedFor, recordedSize, recordedSizesBytes } from "./recorded.ts";
import { reportOf, textOf, typicalTable } from "./report.ts";
import { usual } from "./workloads.ts";

const help = `Usage: npm run cost -- --clients N --messages N --size BYTES [options]

What a month costs on Cloudflare's Workers Paid plan, by line, beside a naive router. All clients are in one realm.

  --clients N            clients of the realm
  --messages N           messages a month, of all clients together
  --size BYTES           of each message
  --burst N              messages in a row, with silence around them: 1 is one by one (default: all, one stream)
  --hours-connected N    hours a month that each client is connected, of 720 (default: ${usual.hoursConnected})
  --connects N           how often a month each client connects (default: ${usual.connects})
  --mbit N               how fast a client's line is, in megabits per second (default: ${usual.lineMbit})
  --shards N             objects over which the realm is spread (default: 1)
  --crossing PERCENT     of all bursts, those between clients of different shards (default: as if clients met by chance)
  --trunk KIND           how shards call each other: "calls", each a request, or "sockets", WebSockets (default: calls)
  --measure              measure now, with a router on this machine, instead of taking what was recorded: 20 s
  --json                 print JSON
  --table                print only the table of example workloads in docs/cost.md
  --record               measure the recorded sizes again; then put the new table into docs/cost.md
  --help                 print this

Examples:
  npm run cost -- --clients 2 --messages 1000000 --size 64
  npm run cost -- --clients 2 --messages 1000000 --size 64 --measure
  npm run cost -- --clients 1000 --messages 0 --size 64 --connects 1
  npm run cost -- --clients 100000 --messages 30000000 --size 256 --burst 10 --shards 4 --crossing 20
  npm run -s cost -- --clients 50 --messages 43200 --size 200 --burst 1 --json
`;

try {
  await run();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}

async function run(): Promise<void> {
  const { values } = parseArgs({
    options: {
      clients: { type: "string" },
      messages: { type: "string" },
      size: { type: "string" },
      burst: { type: "string" },
      "hours-connected": { type: "string", default: String(usual.hoursConnected) },
      connects: { type: "string", default: String(usual.connects) },
      mbit: { type: "string", default: String(usual.lineMbit) },
      shards: { type: "string", default: String(usual.shards) },
      crossing: { type: "string" },
      trunk: { type: "string", default: usual.trunk },
      measure: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      table: { type: "boolean", default: false },
      record: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return print(help);
  if (values.table) return print(typicalTable());
  if (values.record) return await record();
  const messages = numberIn("messages", values.messages, 0);
  const shards = numberIn("shards", values.shards, 1, routerLimits.maxShards);
  const { trunk } = values;
  if (!isTrunk(trunk)) throw new Error(`--trunk must be "calls" or "sockets", not "${trunk}"`);
  const workload: Workload = {
    clients: numberIn("clients", values.clients, 1),
    messages,
    sizeBytes: numberIn("size", values.size, 0, 16_777_216),
    burst: values.burst === undefined ? Math.max(1, messages) : numberIn("burst", values.burst, 1),
    hoursConnected: numberIn("hours-connected", values["hours-connected"], 1, usual.hoursConnected),
    connects: numberIn("connects", values.connects, 0),
    lineMbit: numberIn("mbit", values.mbit, 1),
    shards,
    crossing: values.crossing === undefined ? 1 - 1 / shards : numberIn("crossing", values.crossing, 0, 100) / 100,
    trunk,
  };
  const { sizeBytes } = workload;
  const report = reportOf(workload, values.measure ? await measure(sizeBytes) : recordedFor(sizeBytes));
  const origin = values.measure
    ? "measured just now"
    : `measured on ${recorded.date} with ${recordedSize(sizeBytes).sizeBytes} B`;
  print(values.json ? `${JSON.stringify(report, null, 2)}\n` : textOf(report, origin));
}

async function record(): Promise<void> {
  const sizes: Measured[] = [];
  for (const sizeBytes of recordedSizesBytes) {
    process.stderr.write(`measuring messages of ${sizeBytes} B\n`);
    sizes.push(await measure(sizeBytes));
  }
  const date = new Date().toISOString().slice(0, 10);
  writeFileSync(join(import.meta.dirname, "measured.json"), `${JSON.stringify({ date, sizes }, null, 2)}\n`);
}

function isTrunk(text: string): text is Trunk {
  return Object.hasOwn(requestsPerCall, text);
}

/** @throws Error that says what is wrong with an option */
function numberIn(option: string, text: string | undefined, least: number, most = Number.MAX_SAFE_INTEGER): number {
  if (text === undefined) throw new Error(`--${option} is missing: npm run cost -- --help says more`);
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  throw new Error(`--${option} must be a whole number ${range}, not "${text}"`);
}

function print(text: string): void {
  process.stdout.write(text);
}
