import { type Command, Option } from "commander";
import { invite } from "messagepasser/invite";
import { note, printJson, printSecret } from "../output.ts";
import { type ClientFlags, clientSettings, withClientFlags } from "../settings.ts";
import { Failure, reasonOf, statuses } from "../status.ts";
import { durationForm, positiveDurationOf } from "../times.ts";
import { countUpTo } from "../counts.ts";
import { oneMore } from "../lists.ts";

interface Flags extends ClientFlags {
  /** In milliseconds. */
  readonly for: number;
  readonly uses: number;
  readonly serve?: readonly string[];
  readonly json?: true;
}

const examples = `
The invitation is a secret for somebody else. Its holder can do only what the invitation says, and it becomes invalid
together with your own secret. It is made on this machine, without the router, and printed to standard output. Treat it
like a secret. In <peer>, <protocol> and --serve, * matches anything. Quote it for your shell. Leave <peer> and <protocol>
out for a guest that only serves.

Examples:
  mp invite printer bob files > printer.invitation
  mp invite visitor '*' chat --for 2h --uses 10
  mp invite worker --serve build --uses 10 > worker.invitation
  MP_NAME=alice/worker mp listen build --secret-file worker.invitation`;

/** Adds `mp invite`. */
export function addInvite(program: Command): void {
  withClientFlags(program.command("invite"))
    .description("invite a guest, who may then open a protocol to a peer, or serve one, for some time")
    .argument("<guest>", 'the last part of the guest\'s name, which is your name, "/" and this')
    .argument("[peer]", "the peer that the guest may open to")
    .argument("[protocol]", "the protocol that the guest may open")
    .option("--serve <protocol>", "what the guest serves; may be repeated (default: nothing)", oneMore)
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

async function make(
  guest: string,
  peer: string | undefined,
  protocol: string | undefined,
  flags: Flags,
): Promise<void> {
  const { uses, serve: serves = [] } = flags;
  if (peer === undefined ? serves.length === 0 : protocol === undefined)
    throw new Failure(statuses.usage, "Give a peer and a protocol, or what the guest serves with --serve");
  const { name, secret } = await clientSettings(flags);
  const expiresAt = new Date(Date.now() + flags.for);
  const opens = peer === undefined || protocol === undefined ? {} : { peer, protocol };
  const invited = await invite({ name, secret, guest, ...opens, serves, expiresAt, uses }).catch((cause: unknown) => {
    throw new Failure(statuses.usage, reasonOf(cause), { cause });
  });
  if (flags.json) return await printJson({ ...invited, expiresAt });
  const rights = [
    ...(peer === undefined ? [] : [`open "${protocol}" to "${peer}"`]),
    ...(serves.length === 0 ? [] : [`serve ${serves.map((each) => `"${each}"`).join(", ")}`]),
  ];
  note(`"${invited.name}" may ${rights.join(" and ")} until ${expiresAt.toISOString()}. This is the invitation:`);
  return await printSecret(invited.invitation);
}
