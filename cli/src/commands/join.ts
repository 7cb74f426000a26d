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
Does what "mp connect" does, as a guest. The invitation names the peer and the protocol. Give them only if the invitation
has a pattern with * instead.

Examples:
  mp join --url wss://router.example.com --invitation-file printer.invitation < report.pdf
  MP_INVITATION=… mp join bob chat`;

/** Adds `mp join`. */
export function addJoin(program: Command): void {
  withGraceFlag(withRouterFlags(program.command("join")))
    .description("open a Connection with an invitation, and connect it to standard input and output")
    .argument("[peer]", "the name of the client to open to")
    .argument("[protocol]", "the protocol of the Connection")
    .option("--invitation-file <file>", "a file with the invitation (default: the invitation in MP_INVITATION)")
    .option("--wait", "wait until the router and the peer are there")
    .addHelpText("after", examples)
    .action(join);
}

async function join(givenPeer: string | undefined, givenProtocol: string | undefined, flags: Flags): Promise<void> {
  const secret = await secretFrom(flags.invitationFile, "MP_INVITATION", "invitation");
  if (secret === undefined)
    throw new Failure(statuses.usage, "No invitation: set MP_INVITATION, or give a file with --invitation-file");
  const invitation = readInvitation(secret);
  if (invitation === undefined)
    throw new Failure(statuses.usage, "The invitation can't be read: give the whole line that mp invite printed");
  const peer = checkedPeer(givenPeer ?? only(invitation.peer, "peer"));
  const protocol = checkedProtocol(givenProtocol ?? only(invitation.protocol, "protocol"));
  const settings = await routerSettings(flags);
  const guest = { ...settings, name: invitation.name, secret };
  await connectWith(guest, peer, protocol, flags.wait === true).catch((error: unknown) => {
    throw explained(error, invitation.expiresAt);
  });
}

/** Adds the likely reason to a refusal. Only the router's clock decides: that of this machine may be wrong. */
function explained(error: unknown, expiresAt: Date): unknown {
  const isRefused = error instanceof Failure && error.status === statuses.notLetIn;
  if (!isRefused || expiresAt.getTime() > Date.now()) return error;
  const why = `by this machine's clock, the invitation expired at ${expiresAt.toISOString()}`;
  return new Failure(statuses.notLetIn, `${error.message} (${why})`, { cause: error });
}

/** The peer or protocol that an invitation names, unless it has a pattern. */
function only(pattern: string, what: string): string {
  if (pattern === "") throw new Failure(statuses.usage, "The invitation is for no opens: the guest only serves");
  if (!pattern.includes("*")) return pattern;
  throw new Failure(statuses.usage, `The invitation is for any ${what} like "${pattern}": give the ${what}`);
}
