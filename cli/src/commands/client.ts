import type { Command } from "commander";
import { AdminApi, type ClientInfo, type NewSecret } from "../admin-api.ts";
import { note, print, printJson } from "../output.ts";
import { type AdminFlags, adminSettings, checkedPeer, withRouterFlags } from "../settings.ts";

interface Flags extends AdminFlags {
  readonly json?: true;
}

const secretNote = `
The secret goes to standard output, once: the router can't show it again.`;

/** Adds `mp client` with its commands. */
export function addClient(program: Command): void {
  const client = program
    .command("client")
    .helpCommand(false)
    .description("administer the clients of a realm (needs the admin token)")
    .addHelpText("after", "\nExamples:\n  mp client add alice > alice.secret\n  mp client list");
  const command = (usage: string, description: string): Command =>
    withRouterFlags(client.command(usage).description(description))
      .option("--admin-token-file <file>", "a file that holds the admin token (or the token in MP_ADMIN_TOKEN)")
      .option("--json", "print JSON");

  command("add <name>", "let a client in from now on, and print its secret")
    .addHelpText(
      "after",
      `${secretNote}\n\nExamples:\n  mp client add alice > alice.secret\n  mp client add alice --realm team --json`,
    )
    .action(async (name: string, flags: Flags) => {
      await printSecret(await (await apiOf(flags)).add(checkedPeer(name, "client")), flags, "Added");
    });
  command("list", "list the clients")
    .addHelpText("after", "\nExamples:\n  mp client list\n  mp client list --json | jq -r '.[].name'")
    .action(list);
  command("rotate <name>", "give a client a new secret, print it, and refuse the one before")
    .addHelpText("after", `${secretNote}\n\nExamples:\n  mp client rotate alice > alice.secret`)
    .action(async (name: string, flags: Flags) => {
      await printSecret(await (await apiOf(flags)).rotate(checkedPeer(name, "client")), flags, "Rotated the secret of");
    });
  command("revoke <name>", "take a client's secret away and close its link")
    .addHelpText("after", "\nExamples:\n  mp client revoke alice")
    .action(async (name: string, flags: Flags) => {
      await (await apiOf(flags)).revoke(checkedPeer(name, "client"));
      if (flags.json) await printJson({ name, isRevoked: true });
      else note(`Revoked client "${name}"`);
    });
}

async function apiOf(flags: Flags): Promise<AdminApi> {
  return new AdminApi(await adminSettings(flags));
}

async function list(flags: Flags): Promise<void> {
  const api = await apiOf(flags);
  // Read before the first is printed: half a list followed by an error would look whole to a script.
  const clients: ClientInfo[] = [];
  for await (const client of api.list()) clients.push(client);
  if (flags.json) await printJson(clients);
  else if (clients.length === 0) note("There are no clients in this realm");
  else await print(table(clients));
}

function table(clients: readonly ClientInfo[]): string {
  const rows = [
    ["NAME", "SECRET-ID", "REVISION", "CHANGED"],
    ...clients.map(({ name, secretId, revision, changedAt }) => [name, secretId, String(revision), changedAt]),
  ];
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => `${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}\n`).join("");
}

async function printSecret(client: NewSecret, flags: Flags, done: string): Promise<void> {
  if (flags.json) await printJson(client);
  else {
    note(`${done} client "${client.name}". Its secret, which is shown only now:`);
    await print(`${client.secret}\n`);
  }
}
