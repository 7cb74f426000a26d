import type { Command } from "commander";
import { readInvitation } from "messagepasser/invite";
import {
  checkedPeer,
  checkedProtocol,
  type RouterFlags,
  routerSettings,
  secretFrom,
  withGraceFlag,
  withRouterFlags,
} from "../settings.ts";
import { Failure, statuses } from "../status.ts";
import { connectWith } from "./connect.ts";

interface Flags extends RouterFlags {
  readonly invitationFile?: string;
  readonly wait?: true;
  readonly grace?: number;
}

const examples = `
It does what "mp connect" does, as the guest whom the invitation makes of you. Whom to open what to stands in the
invitation, unless that says "anybody" or "anything".

Examples:
  mp join --url wss://router.example.com --invitation-file printer.invitation < report.pdf
  MP_INVITATION=… mp join bob chat`;

/** Adds `mp join`. */
export function addJoin(program: Command): void {
  withGraceFlag(withRouterFlags(program.command("join")))
    .description("open a Connection by an invitation and wire it to standard input and output")
    .argument("[peer]", "the name of the client to connect to")
    .argument("[protocol]", "the protocol to speak with it")
    .option("--invitation-file <file>", "a file that holds the invitation (or the invitation in MP_INVITATION)")
    .option("--wait", "keep trying while the peer is absent")
    .addHelpText("after", examples)
    .action(join);
}

async function join(givenPeer: string | undefined, givenProtocol: string | undefined, flags: Flags): Promise<void> {
  const secret = await secretFrom(flags.invitationFile, "MP_INVITATION", "invitation");
  if (secret === undefined)
    throw new Failure(statuses.usage, "No invitation: set MP_INVITATION, or give a file with --invitation-file");
  const invitation = readInvitation(secret);
  if (invitation === undefined)
    throw new Failure(statuses.usage, "The invitation can't be read: it must be the whole line that mp invite printed");
  if (invitation.expiresAt.getTime() <= Date.now())
    throw new Failure(statuses.notLetIn, `The invitation has expired, at ${invitation.expiresAt.toISOString()}`);
  const peer = checkedPeer(givenPeer ?? only(invitation.peer, "peer"));
  const protocol = checkedProtocol(givenProtocol ?? only(invitation.protocol, "protocol"));
  const settings = await routerSettings(flags);
  await connectWith({ ...settings, name: invitation.name, secret }, peer, protocol, flags.wait === true);
}

/** What an invitation says, where that leaves no choice. */
function only(pattern: string, what: string): string {
  if (!pattern.includes("*")) return pattern;
  throw new Failure(statuses.usage, `The invitation is for any ${what} like "${pattern}": say which`);
}
