// `npm run soak`: many clients talk through a router that is treated badly, and nothing may get lost. options.ts says how
// to run it; the result is one line.
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { addClient, beginGrowth, setShards } from "../../scripts/admin-client.ts";
import type { ClientDial, FromClients } from "./calls.ts";
import { Clients } from "./clients.ts";
import { Gate } from "./gate.ts";
import { Injector } from "./injector.ts";
import { Ledger } from "./ledger.ts";
import { help, type Options, optionsFrom } from "./options.ts";
import { type FullResult, isGood, lineOf, Progress, resultOf } from "./report.ts";
import { Router } from "./router.ts";
import { makeCertificates, TlsFront } from "./tls-front.ts";

const clientsPerProcess = 4;
const streamsAtOnce = 4;
const drainMs = 90_000;
/** Past the end of faults and the drain, for start and end; then the run is broken off. */
const spareMs = 120_000;

/** The parts of a run. */
interface Run {
  readonly options: Options;
  readonly router: Router;
  readonly processes: readonly Clients[];
  readonly injector: Injector;
  readonly ledger: Ledger;
  readonly progress: Progress;
}

/** Runs the soak. Where it was broken off, what is known until then is still told. */
async function soak(options: Options, interrupted: AbortSignal): Promise<{ result: FullResult; broken: unknown }> {
  const folder = mkdtempSync(join(tmpdir(), "messagepasser-soak-"));
  process.once("exit", () => {
    rmSync(folder, { recursive: true, force: true });
  });
  await using stack = new AsyncDisposableStack();
  const run = await begin(options, folder, stack);
  let broken: unknown;
  try {
    await Promise.race([live(run), brokenBy(run, interrupted)]);
    run.ledger.close();
  } catch (error) {
    broken = error;
    run.injector.stop();
  }
  return { result: resultOf(options, run.ledger, run.injector), broken };
}

/** Starts all that a run needs. What has started ends with the stack. */
async function begin(options: Options, folder: string, stack: AsyncDisposableStack): Promise<Run> {
  const epochMs = Date.now();
  const router = stack.use(await Router.start(folder));
  await setShards(router, options.shards);
  router.shards = options.shards;
  const dials: ClientDial[] = [];
  const gates: Gate[] = [];
  const certificates = await makeCertificates();
  const authorityFile = join(folder, "authority.pem");
  writeFileSync(authorityFile, certificates.own.cert);
  for (let number = 1; number <= options.clients; number++) {
    const name = `soak-${number}`;
    // Every third client speaks TLS.
    const front = number % 3 === 0 ? await TlsFront.open(certificates, router.port) : undefined;
    const gate = stack.use(await Gate.open(name, { routerPort: router.port, front }));
    gates.push(gate);
    dials.push({ name, url: gate.url, secret: await addClient(router, name) });
  }
  const names = dials.map(({ name }) => name);
  const attacker = { url: router.url, name: "attacker", secret: await addClient(router, "attacker"), names };
  const processes: Clients[] = [];
  const injector = new Injector({ ...options, epochMs, gates, router, processes, attacker });
  const ledger = new Ledger(epochMs, (failure) => {
    progress.failure(failure);
  });
  const progress = stack.use(new Progress(ledger, injector, epochMs));
  for (let number = 0; number * clientsPerProcess < dials.length; number++) {
    const clients = dials.slice(number * clientsPerProcess, (number + 1) * clientsPerProcess);
    const start = { seed: options.seed, epochMs, names, clients, streamsAtOnce };
    const take = (message: FromClients): void => {
      enter(ledger, number, message);
    };
    processes.push(stack.use(new Clients(start, authorityFile, take)));
  }
  return { options, router, processes, injector, ledger, progress };
}

/** The life of a run in which the soak itself works. */
async function live({ options, router, processes, injector, ledger, progress }: Run): Promise<void> {
  await Promise.all(processes.map(({ ready }) => ready));
  progress.phase(`seed ${options.seed}`);
  await Promise.all([injector.run(options.seconds * 1_000), grow(options, router, progress)]);
  for (const clients of processes) clients.drain();
  progress.phase("drains");
  const endMs = Date.now() + drainMs;
  // Twice in a row, since the first counts that come may be from before the drain.
  for (let times = 0; times < 2 && Date.now() < endMs; times = ledger.counts.open === 0 ? times + 1 : 0)
    await delay(1_000);
  await Promise.all(processes.map((clients) => clients.stop()));
  // Does nothing where the realm has grown.
  await setShards(router, options.lastShards);
}

/** Gives the realm more shards, one after the other, while faults come. */
async function grow({ seconds, shards, lastShards }: Options, router: Router, progress: Progress): Promise<void> {
  const pauseMs = (seconds * 1_000) / (lastShards - shards + 1);
  while (router.shards < lastShards) {
    await delay(pauseMs);
    router.shards++;
    await untilDone(() => beginGrowth(router, router.shards));
    progress.say(`The realm gets shard ${router.shards - 1}`);
  }
}

/** Tries again what fails while the router is struck. */
async function untilDone(attempt: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      await attempt();
      return;
    } catch {
      await delay(200);
    }
  }
}

/** Rejects when the run can't go on. */
async function brokenBy({ options, router, processes }: Run, interrupted: AbortSignal): Promise<never> {
  const deadline = delay(options.seconds * 1_000 + drainMs + spareMs, undefined, { ref: false });
  throw await Promise.race([
    once(interrupted, "abort").then(() => new Error("Interrupted")),
    router.died,
    ...processes.map(({ died }) => died),
    deadline.then(() => new Error("The run took longer than it may")),
  ]);
}

function enter(ledger: Ledger, processNumber: number, message: FromClients): void {
  switch (message.kind) {
    case "counts":
      ledger.count(processNumber, message.counts);
      break;
    case "handled":
      ledger.handled(message);
      break;
    case "finished":
      ledger.finished(message);
      break;
    case "failure":
      ledger.fail(message.failure);
      break;
    case "ready":
    case "stopped":
      break;
  }
}

/** @returns the exit status */
async function main(options: Options): Promise<number> {
  const interruption = new AbortController();
  let interruptedAtMs = Number.POSITIVE_INFINITY;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      // A second signal ends the run at once. Not within a second: npm and a terminal both pass on the same one.
      if (Date.now() - interruptedAtMs > 1_000) process.exit(1);
      if (!interruption.signal.aborted) interruptedAtMs = Date.now();
      interruption.abort();
    });
  }
  const { result, broken } = await soak(options, interruption.signal);
  if (broken !== undefined) console.error(broken instanceof Error ? broken.message : broken);
  console.log(options.isJson ? JSON.stringify(result) : lineOf(result));
  if (interruption.signal.aborted) return 130;
  return broken === undefined && isGood(result) ? 0 : 1;
}

let options: Options | undefined;
try {
  options = optionsFrom(process.argv.slice(2));
} catch (error) {
  console.error(`${error instanceof Error ? error.message : String(error)}\nSee npm run soak -- --help`);
  process.exit(2);
}
if (options === undefined) process.stdout.write(help);
else process.exit(await main(options));
