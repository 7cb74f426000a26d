import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { type Command, InvalidArgumentError } from "commander";
import { type Connection } from "messagepasser";
import { connectClient, rootOf } from "../client.ts";
import { print, printJson } from "../output.ts";
import { checkedPeer, type ClientFlags, clientSettings, withClientFlags } from "../settings.ts";
import { Failure, statuses } from "../status.ts";

interface Flags extends ClientFlags {
  readonly count: number;
  readonly interval: number;
  readonly json?: true;
}

const timeoutMs = 10_000;
const payloadBytes = 64;

const examples = `
A round trip goes from this client through the router to the peer, and back. Every client answers by itself.

Examples:
  mp ping bob
  mp ping bob -c 100 -i 0.1
  mp ping bob --json | jq .medianMs`;

/** Adds `mp ping`. */
export function addPing(program: Command): void {
  withClientFlags(program.command("ping"))
    .description("measure round trips to a peer")
    .argument("<peer>", "the name of the client")
    .option("-c, --count <count>", "the number of round trips", countOf, 5)
    .option("-i, --interval <seconds>", "the pause between two round trips", secondsOf, 1)
    .option("--json", "print all measurements at the end, as one JSON object")
    .addHelpText("after", examples)
    .action(ping);
}

async function ping(peer: string, flags: Flags): Promise<void> {
  checkedPeer(peer);
  await using client = await connectClient(await clientSettings(flags));
  const roundTripsMs: number[] = [];
  try {
    const connection = await client.open(peer, "$ping");
    for (let round = 1; round <= flags.count; round++) {
      if (round > 1) await delay(flags.interval * 1_000);
      const roundTripMs = await measure(connection);
      roundTripsMs.push(roundTripMs);
      if (!flags.json) await print(`${peer}: round trip ${round} in ${roundTripMs.toFixed(2)} ms\n`);
    }
    await connection.close();
  } catch (error) {
    throw await rootOf(error, client);
  }
  const summary = summaryOf(roundTripsMs);
  if (flags.json) {
    await printJson({ peer, roundTripsMs, ...summary });
  } else {
    const figures = [summary.minMs, summary.medianMs, summary.maxMs].map((ms) => ms.toFixed(2)).join(" / ");
    await print(`${peer}: ${flags.count} round trips, min / median / max ${figures} ms\n`);
  }
}

async function measure(connection: Connection): Promise<number> {
  const payload = randomBytes(payloadBytes);
  const signal = AbortSignal.timeout(timeoutMs);
  const startMs = performance.now();
  let answer: string | Uint8Array | undefined;
  try {
    await connection.send(payload, { signal });
    answer = await connection.receive({ signal });
  } catch (error) {
    if (!signal.aborted) throw error;
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

function countOf(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > 1_000_000) {
    throw new InvalidArgumentError("Give a whole number from 1 to 1000000.");
  }
  return count;
}

function secondsOf(text: string): number {
  const seconds = Number(text);
  if (text.trim() === "" || !(seconds >= 0 && seconds <= 86_400)) {
    throw new InvalidArgumentError("Give a number of seconds from 0 to 86400.");
  }
  return seconds;
}
