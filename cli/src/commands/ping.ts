import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { splitLabel } from "@messagepasser/protocol";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Connection } from "messagepasser";
import { connectClient, rootOf } from "../client.ts";
import { print, printJson } from "../output.ts";
import { checkedPeer, type ClientFlags, clientSettings, withClientFlags } from "../settings.ts";
import { onStop } from "../signals.ts";
import { Failure, Interrupted, ReaderGone, statuses } from "../status.ts";
import { durationForm, durationOf } from "../times.ts";
import { countUpTo } from "../counts.ts";

interface Flags extends ClientFlags {
  readonly count: number;
  /** In milliseconds. */
  readonly interval: number;
  readonly json?: true;
}

const timeoutMs = 10_000;
const payloadBytes = 64;

const examples = `
A round trip goes from this client through the router to the peer, and back. Every client answers by itself. Ctrl+C ends
the measurement, and the summary is printed.

Examples:
  mp ping bob
  mp ping bob -c 100 -i 100ms
  mp ping bob --json | jq .medianMs`;

/** Adds `mp ping`. */
export function addPing(program: Command): void {
  withClientFlags(program.command("ping"))
    .description("measure round trips to a peer")
    .argument("<peer>", 'the client, as in "alice", or "alice:desk-1" for one instance of it')
    .option("-c, --count <count>", "the number of round trips", countUpTo(1_000_000), 5)
    .addOption(
      new Option("-i, --interval <duration>", `the pause between two round trips, ${durationForm}`)
        .argParser(intervalOf)
        .default(1_000, "1s"),
    )
    .option("--json", "print all measurements at the end, as one JSON object")
    .addHelpText("after", examples)
    .action(ping);
}

async function ping(peer: string, flags: Flags): Promise<void> {
  checkedPeer(peer);
  const settings = await clientSettings(flags);
  using stop = onStop();
  await using client = await connectClient(settings, { signal: stop.signal });
  const roundTripsMs: number[] = [];
  try {
    const { name, instance } = splitLabel(peer);
    const connection = await client.open(name, "$ping", { signal: stop.signal, instance });
    await measureAll(connection, flags, roundTripsMs, stop.signal);
  } catch (cause) {
    const error = await rootOf(cause, client);
    if (roundTripsMs.length === 0 || error instanceof ReaderGone) throw error;
    // What was measured until then is still worth a summary.
    await summarize(peer, flags, roundTripsMs);
    if (!(error instanceof Interrupted)) throw error;
    process.exitCode = error.status;
    return;
  }
  await summarize(peer, flags, roundTripsMs);
}

/** Measures one round trip after the other. @param roundTripsMs gets each, so that they survive an error. */
async function measureAll(
  connection: Connection,
  { count, interval, json }: Flags,
  roundTripsMs: number[],
  signal: AbortSignal,
): Promise<void> {
  for (let round = 1; round <= count; round++) {
    // An aborted delay rejects with an error of its own, which says less than the signal's reason.
    if (round > 1) await delay(interval, undefined, { signal }).catch(() => undefined);
    signal.throwIfAborted();
    const roundTripMs = await measure(connection, signal);
    roundTripsMs.push(roundTripMs);
    if (!json) await print(`${connection.peer}: round trip ${round} in ${roundTripMs.toFixed(2)} ms`);
  }
  await connection.close();
}

async function summarize(peer: string, flags: Flags, roundTripsMs: readonly number[]): Promise<void> {
  const summary = summaryOf(roundTripsMs);
  if (flags.json) {
    await printJson({ peer, roundTripsMs, ...summary });
  } else {
    const figures = [summary.minMs, summary.medianMs, summary.maxMs].map((ms) => ms.toFixed(2)).join(" / ");
    await print(`${peer}: ${roundTripsMs.length} round trips, min / median / max ${figures} ms`);
  }
}

async function measure(connection: Connection, stop: AbortSignal): Promise<number> {
  const payload = randomBytes(payloadBytes);
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = AbortSignal.any([timeout, stop]);
  const startMs = performance.now();
  let answer: string | Uint8Array | undefined;
  try {
    await connection.send(payload, { signal });
    answer = await connection.receive({ signal });
  } catch (error) {
    if (stop.aborted || !timeout.aborted) throw error;
    throw new Failure(statuses.unreachable, `No answer from "${connection.peer}" within ${timeoutMs} ms`);
  }
  const roundTripMs = performance.now() - startMs;
  if (answer instanceof Uint8Array && payload.equals(answer)) return roundTripMs;
  throw new Failure(statuses.failed, `"${connection.peer}" sent back a different message`);
}

function summaryOf(values: readonly number[]): { minMs: number; medianMs: number; maxMs: number } {
  const sorted = values.toSorted((left, right) => left - right);
  const at = (index: number): number => sorted[index] ?? 0;
  const medianMs = (at(Math.floor((sorted.length - 1) / 2)) + at(Math.floor(sorted.length / 2))) / 2;
  return { minMs: at(0), medianMs, maxMs: at(sorted.length - 1) };
}

function intervalOf(text: string): number {
  const intervalMs = durationOf(text);
  if (intervalMs > 86_400_000) throw new InvalidArgumentError("Give at most 1d.");
  return intervalMs;
}
