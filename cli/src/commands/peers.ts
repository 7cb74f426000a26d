import type { Command } from "commander";
import { connectClient } from "../client.ts";
import { print, printableName, printJson } from "../output.ts";
import { type ClientFlags, clientSettings, withClientFlags } from "../settings.ts";

interface Flags extends ClientFlags {
  readonly json?: true;
}

const timeoutMs = 30_000;

const examples = `
Your own name is left out.

Examples:
  mp peers
  mp peers --json | jq length`;

/** Adds `mp peers`. */
export function addPeers(program: Command): void {
  withClientFlags(program.command("peers"))
    .description("list the other clients that are connected, one name a line")
    .option("--json", "print a JSON array")
    .addHelpText("after", examples)
    .action(peers);
}

async function peers(flags: Flags): Promise<void> {
  await using client = await connectClient(await clientSettings(flags));
  const names = (await client.peers({ signal: AbortSignal.timeout(timeoutMs) })).filter((name) => name !== client.name);
  await (flags.json ? printJson(names) : print(...names.map(printableName)));
}
