import { type Command, Option } from "commander";
import { invite } from "messagepasser/invite";
import { note, printJson, printSecret } from "../output.ts";
import { type ClientFlags, clientSettings, withClientFlags } from "../settings.ts";
import { Failure, reasonOf, statuses } from "../status.ts";
import { durationForm, positiveDurationOf } from "../times.ts";
import { countUpTo } from "../counts.ts";

interface Flags extends ClientFlags {
  /** In milliseconds. */
  readonly for: number;
  readonly uses: number;
  readonly json?: true;
}

const examples = `
The invitation is a secret for somebody else. Its holder can do only what the invitation says, and it becomes invalid
together with your own secret. It is made on this machine, without the router, and printed to standard output. Treat it
like a secret. In <peer> and <protocol>, * matches anything. Quote it for your shell.

Examples:
  mp invite printer bob files > printer.invitation
  mp invite visitor '*' chat --for 2h --uses 10`;

/** Adds `mp invite`. */
export function addInvite(program: Command): void {
  withClientFlags(program.command("invite"))
    .description("invite a guest, who may then open a protocol to a peer for some time")
    .argument("<guest>", 'the last part of the guest\'s name, which is your name, "/" and this')
    .argument("<peer>", "the peer that the guest may open to")
    .argument("<protocol>", "the protocol that the guest may open")
    .addOption(
      new Option("--for <duration>", `how long the invitation is valid, ${durationForm}`)
        .argParser(positiveDurationOf)
        .default(86_400_000, "24h"),
    )
    .option("--uses <count>", "how many sessions may use the invitation, 1 to 1000", countUpTo(1_000), 1)
    .option("--json", "print JSON")
    .addHelpText("after", examples)
    .action(make);
}

async function make(guest: string, peer: string, protocol: string, flags: Flags): Promise<void> {
  const { name, secret } = await clientSettings(flags);
  const expiresAt = new Date(Date.now() + flags.for);
  const invited = await invite({ name, secret, guest, peer, protocol, expiresAt, uses: flags.uses }).catch(
    (cause: unknown) => {
      throw new Failure(statuses.usage, reasonOf(cause), { cause });
    },
  );
  if (flags.json) return await printJson({ ...invited, expiresAt });
  note(
    `"${invited.name}" may open "${protocol}" to "${peer}" until ${expiresAt.toISOString()}. This is the invitation:`,
  );
  return await printSecret(invited.invitation);
}
