import type { Command } from "commander";
import type { Client, PeerSession } from "messagepasser";
import { connectClient } from "../client.ts";
import { print, printableName, printJson, printTable } from "../output.ts";
import { type ClientFlags, clientSettings, withClientFlags } from "../settings.ts";
import { onStop, untilStopped } from "../signals.ts";

interface Flags extends ClientFlags {
  readonly details?: true;
  readonly watch?: true;
  readonly json?: true;
}

const timeoutMs = 30_000;

/** The last time that a Date can be. */
const latestMs = 8.64e15;

const examples = `
Your own name is left out. A client sees only peers that it may open something to, or that may open something to it.

--watch prints a line for each session that is connected, and then for each change, until SIGINT or SIGTERM: "here",
"changed" or "gone", and the name. With --json, each line is an object with the details.

Examples:
  mp peers
  mp peers --json | jq length
  mp peers --details
  mp peers --watch --json | jq -r 'select(.kind == "gone").name'`;

/** Adds `mp peers`. */
export function addPeers(program: Command): void {
  withClientFlags(program.command("peers"))
    .description("list the other clients that are connected, one name a line")
    .option("--details", "list each session: its instance, what it serves, and since when it is connected")
    .option("--watch", "print who is connected, then who comes, goes or serves something else")
    .option("--json", "print a JSON array, or with --watch an object a line")
    .addHelpText("after", examples)
    .action(peers);
}

async function peers(flags: Flags): Promise<void> {
  using stop = onStop();
  const { signal } = stop;
  await using client = await connectClient(await clientSettings(flags), { signal });
  if (flags.watch) await untilStopped(watch(client, flags, signal));
  else await list(client, flags, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
}

async function list(client: Client, { details, json }: Flags, signal: AbortSignal): Promise<void> {
  const isOther = (name: string): boolean => name !== client.name;
  if (details) {
    const sessions = (await client.peers({ details: true, signal })).filter(({ name }) => isOther(name));
    if (json) await printJson(sessions.map(detailsOf));
    else await printTable([["NAME", "INSTANCE", "SINCE", "SERVES"], ...sessions.map(rowOf)]);
  } else {
    const names = (await client.peers({ signal })).filter(isOther);
    await (json ? printJson(names) : print(...names.map(printableName)));
  }
}

async function watch(client: Client, { details, json }: Flags, signal: AbortSignal): Promise<void> {
  for await (const { kind, ...session } of client.watch("*", { signal })) {
    if (session.name === client.name) continue;
    if (json) await printJson({ kind, ...detailsOf(session) });
    else {
      const words = details ? rowOf(session).filter((word) => word !== "") : [session.name];
      await print([kind, ...words.map(printableName)].join(" "));
    }
  }
}

function detailsOf({ sinceMs, ...session }: PeerSession): object {
  return { ...session, since: timeIn(sinceMs) };
}

function rowOf({ name, instance, services, sinceMs }: PeerSession): string[] {
  return [name, instance, timeIn(sinceMs), services.join(" ")];
}

function timeIn(ms: number): string {
  // The router chooses the number.
  return new Date(Math.min(ms, latestMs)).toISOString();
}
