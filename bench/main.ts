// Measures the router against an opaque relay, on this machine. README.md says how, and how to read it.
import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { addClient } from "../scripts/admin-client.ts";
import { type Router, startRouter } from "../scripts/router.ts";
import type { PeerStart } from "./calls.ts";
import type { EndFormat } from "./ends/end.ts";
import { Peer } from "./peer.ts";
import { formatsPlan, fullPlan, type Plan, quickPlan } from "./plan.ts";
import { startRelay } from "./relay.ts";
import { type Measured, reportOf, tableOf } from "./report.ts";
import type { Ends, Figures, Formats, Scenario } from "./scenarios/scenario.ts";

const help = `Usage: npm run bench -- [options]

  --quick            three scenarios in under two minutes, instead of all in about ten
  --formats          one-way traffic between ends of each format, in about a minute
  --json             print the results as JSON, and nothing else
  --assert           exit with status 1 if a target is missed
  --profile FOLDER   write CPU profiles of the four peer processes there
  --help             print this
`;

const native: Formats = ["native", "native"];
let startedEnds = 0;
const leastRelayWindowBytes = 1_048_576;

const options = optionsFrom(process.argv.slice(2));

if (options.help) process.stdout.write(help);
else await run(planChosen());

function planChosen(): Plan {
  if (options.formats) return formatsPlan;
  return options.quick ? quickPlan : fullPlan;
}

async function run(plan: Plan): Promise<void> {
  const report = await measured(plan);
  const json = `${JSON.stringify(report, null, 2)}\n`;
  const folder = join(import.meta.dirname, "results");
  const file = join(folder, `${plan.name}.json`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, json);
  process.stdout.write(options.json ? json : `${tableOf(report)}\nWritten to ${relative(process.cwd(), file)}\n`);
  if (options.assert && report.results.some(({ target }) => target?.isMet === false)) process.exitCode = 1;
}

async function measured(plan: Plan): Promise<ReturnType<typeof reportOf>> {
  progress("starting the router and the relay");
  await using stack = new AsyncDisposableStack();
  const router = stack.use(await startRouter());
  const routerEnds = await startRouterEnds(stack, router, native);
  // The client's window grows as it needs; the relay's ends get at once what more than which gains nothing here.
  const windowBytes = Math.max(await routerEnds.sender.call("windowBytes", null), leastRelayWindowBytes);
  const relayEnds = await startRelayEnds(stack, windowBytes);
  const all: Measured[] = [];
  for (const scenario of plan.scenarios) {
    if (scenario.formats === undefined) {
      all.push(await runRounds(plan, scenario, routerEnds, relayEnds));
      continue;
    }
    await using own = new AsyncDisposableStack();
    const ends = await startRouterEnds(own, router, scenario.formats);
    all.push(await runRounds(plan, scenario, ends, relayEnds));
  }
  progress("");
  return reportOf(plan, windowBytes, all);
}

/** Rounds of the two alternate, so that a machine that slows down or is busy for a while does it to both. */
async function runRounds(plan: Plan, scenario: Scenario, routerEnds: Ends, relayEnds: Ends): Promise<Measured> {
  const router: Figures[] = [];
  const relay: Figures[] = [];
  for (let round = 0; round <= plan.rounds; round++) {
    progress(`${scenario.name}: ${round === 0 ? "warm-up" : `round ${round} of ${plan.rounds}`}`);
    const ofRouter = await scenario.router(routerEnds, plan.times);
    const ofRelay = await scenario.relay(relayEnds, plan.times);
    if (round === 0) continue;
    router.push(ofRouter);
    relay.push(ofRelay);
  }
  return { scenario, router, relay };
}

async function startRouterEnds(stack: AsyncDisposableStack, router: Router, formats: Formats): Promise<Ends> {
  const url = router.url.href;
  const [senderFormat, receiverFormat] = formats;
  const which = `${formats.join(" to ")} ${++startedEnds}`;
  const peer = `receiver ${which}`;
  const start = async (role: PeerStart["role"], name: string, format: EndFormat): Promise<Peer> => {
    const dial = { url, name, secret: await addClient(router, name), peer, format };
    return stack.use(await Peer.start({ system: "router", role, dial }, nodeOptions("router", role)));
  };
  const receiver = await start("receiver", peer, receiverFormat);
  return { receiver, sender: await start("sender", `sender ${which}`, senderFormat) };
}

async function startRelayEnds(stack: AsyncDisposableStack, windowBytes: number): Promise<Ends> {
  const relay = stack.use(await startRelay());
  const dial = { url: relay.url.href, name: "", secret: "", peer: "", format: "native", windowBytes } as const;
  const start = async (role: PeerStart["role"]): Promise<Peer> =>
    stack.use(await Peer.start({ system: "relay", role, dial }, nodeOptions("relay", role)));
  return { receiver: await start("receiver"), sender: await start("sender") };
}

function nodeOptions(system: PeerStart["system"], role: PeerStart["role"]): string[] {
  if (options.profile === undefined) return [];
  return ["--cpu-prof", `--cpu-prof-dir=${options.profile}`, `--cpu-prof-name=${system}-${role}.cpuprofile`];
}

/** On a terminal one line that changes, elsewhere one line each; on stderr, since stdout is for results. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  else if (text !== "") process.stderr.write(`${text}\n`);
}

function optionsFrom(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        formats: { type: "boolean", default: false },
        quick: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        assert: { type: "boolean", default: false },
        profile: { type: "string" },
        help: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${help}`);
    return process.exit(2);
  }
}
