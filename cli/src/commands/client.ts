import { routerLimits } from "@messagepasser/protocol";
import type { ClientInfo, NewSecret, SecretTimes } from "@messagepasser/protocol/admin";
import { type Command, InvalidArgumentError } from "commander";
import { AdminApi } from "../admin-api.ts";
import { note, printJson, printSecret, printTable } from "../output.ts";
import { type AdminFlags, checkedPeer, withAdminFlags } from "../settings.ts";
import { Failure } from "../status.ts";
import { durationForm, durationOf, durationText, timeOf } from "../times.ts";

interface Flags extends AdminFlags {
  readonly expires?: string;
  /** In milliseconds. */
  readonly overlap?: number;
  readonly json?: true;
}

const secretNote = `
The secret is printed to standard output. The router can't show it again.`;

/** Adds `mp client` with its subcommands. */
export function addClient(program: Command): void {
  const client = program
    .command("client")
    .helpCommand(false)
    .description("manage the clients of a realm (needs the admin token)")
    .addHelpText("after", "\nExamples:\n  mp client add alice > alice.secret\n  mp client list");
  const command = (usage: string, description: string): Command =>
    withAdminFlags(client.command(usage).description(description)).option("--json", "print JSON");
  const withExpiry = (made: Command): Command =>
    made.option("--expires <time>", "the time at which the secret expires, as in 2030-01-31T12:00:00Z", timeOf);

  withExpiry(command("add <name>", "add a client, and print its secret"))
    .addHelpText(
      "after",
      `${secretNote}\n\nExamples:\n  mp client add alice > alice.secret\n  mp client add alice --realm team --expires 2030-01-31T12:00:00Z --json`,
    )
    .action(async (name: string, flags: Flags) => {
      const api = await AdminApi.of(flags);
      await show(await api.add(checkedPeer(name, "client"), timesOf(flags)).catch(inFlags), flags, "Added");
    });
  command("list", "list the clients")
    .addHelpText("after", "\nExamples:\n  mp client list\n  mp client list --json | jq -r '.[].name'")
    .action(list);
  withExpiry(command("rotate <name>", "give a client a new secret, print it, and revoke the old one"))
    .option("--overlap <duration>", `how long the old secret stays valid, ${durationForm} (default: 0)`, overlapOf)
    .addHelpText(
      "after",
      `${secretNote}\n\nExamples:\n  mp client rotate alice > alice.secret\n  mp client rotate alice --overlap 1h`,
    )
    .action(async (name: string, flags: Flags) => {
      const api = await AdminApi.of(flags);
      const rotated = await api.rotate(checkedPeer(name, "client"), timesOf(flags)).catch(inFlags);
      await show(rotated, flags, "Rotated the secret of");
    });
  for (const [verb, isDisabled, description] of [
    ["disable", true, "refuse a client until it is enabled, and close its links"],
    ["enable", false, "admit a disabled client again, with the same secret"],
  ] as const) {
    command(`${verb} <name>`, description)
      .addHelpText("after", `\nExamples:\n  mp client ${verb} alice`)
      .action(async (name: string, flags: Flags) => {
        const info = await (await AdminApi.of(flags)).setDisabled(checkedPeer(name, "client"), isDisabled);
        if (flags.json) await printJson(info);
        else note(`${isDisabled ? "Disabled" : "Enabled"} client "${name}"`);
      });
  }
  command("revoke <name>", "remove a client: revoke its secret, and close its links")
    .addHelpText("after", "\nExamples:\n  mp client revoke alice")
    .action(async (name: string, flags: Flags) => {
      await (await AdminApi.of(flags)).revoke(checkedPeer(name, "client"));
      if (flags.json) await printJson({ name, isRevoked: true });
      else note(`Revoked client "${name}"`);
    });
}

async function list(flags: Flags): Promise<void> {
  const api = await AdminApi.of(flags);
  // Read the whole list before printing: a script would take half a list for all of it.
  const clients: ClientInfo[] = [];
  for await (const client of api.list()) clients.push(client);
  if (flags.json) await printJson(clients);
  else if (clients.length === 0) note("The realm has no clients");
  else await printTable(rowsOf(clients, api.routerMs));
}

function rowsOf(clients: readonly ClientInfo[], nowMs: number): string[][] {
  return [
    ["NAME", "SECRET-ID", "REVISION", "CHANGED", "LAST USED", "STATE"],
    ...clients.map((client) => [
      client.name,
      client.secretId,
      String(client.revision),
      client.changedAt,
      client.lastUsedAt ?? "never",
      stateOf(client, nowMs),
    ]),
  ];
}

function stateOf({ isDisabled, expiresAt }: ClientInfo, nowMs: number): string {
  if (isDisabled) return "disabled";
  if (expiresAt === null) return "good";
  return `${Date.parse(expiresAt) <= nowMs ? "expired" : "good until"} ${expiresAt}`;
}

function overlapOf(text: string): number {
  const overlapMs = durationOf(text);
  const maxMs = routerLimits.maxOverlapS * 1_000;
  if (overlapMs > maxMs) throw new InvalidArgumentError(`Give at most ${durationText(maxMs)}.`);
  return overlapMs;
}

/** Says what the router refused in the words of flags, instead of those of the admin API. */
function inFlags(error: unknown): never {
  if (!(error instanceof Failure)) throw error;
  const sentence = error.message.replace('"expiresAt"', "--expires").replace('"overlapS"', "--overlap");
  throw new Failure(error.status, sentence, { cause: error });
}

function timesOf({ expires, overlap }: Flags): SecretTimes {
  return {
    ...(expires !== undefined && { expiresAt: expires }),
    ...(overlap !== undefined && { overlapS: Math.ceil(overlap / 1_000) }),
  };
}

async function show(client: NewSecret, flags: Flags, done: string): Promise<void> {
  if (flags.json) await printJson(client);
  else {
    note(`${done} client "${client.name}". This is its secret, which can't be shown again:`);
    await printSecret(client.secret);
  }
}
