import { Command, CommanderError } from "commander";
import packageJson from "../package.json" with { type: "json" };
import { addAudit } from "./commands/audit.ts";
import { addBridge } from "./commands/bridge.ts";
import { addClient } from "./commands/client.ts";
import { addConnect } from "./commands/connect.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addInvite } from "./commands/invite.ts";
import { addJoin } from "./commands/join.ts";
import { addListen } from "./commands/listen.ts";
import { addLogin } from "./commands/login.ts";
import { addPeers } from "./commands/peers.ts";
import { addPing } from "./commands/ping.ts";
import { addRule } from "./commands/rule.ts";
import { addUsage } from "./commands/usage.ts";
import { flushed, reportError } from "./output.ts";
import { Failure, statuses, statusMeanings, statusOf } from "./status.ts";

const epilogue = `
Settings come from flags, then from MP_URL, MP_REALM, MP_NAME, MP_SECRET and MP_ADMIN_TOKEN, then from the profile that
"mp login" writes. Secrets are never taken from a command line, where other users and histories see them.
A name belongs to one running program at a time: a second one that connects with it takes its place.

Exit statuses:
${Object.entries(statusMeanings)
  .map(([status, meaning]) => `  ${status}  ${meaning}`)
  .join("\n")}
  128 and the signal's number when a signal stopped it, as 130 for Ctrl+C

Examples:
  mp login                          remember router, name and secret
  mp listen files > files.tar       take one Connection (on one machine)
  tar c . | mp connect bob files    open it (on another)
  mp ping bob
  mp doctor                         check the way to the router`;

/** The whole command. */
function programOf(): Command {
  const program = new Command("mp")
    .description(packageJson.description)
    .version(packageJson.version, "--version", "print the version")
    .helpOption("-h, --help", "show this help")
    .helpCommand(false)
    .addHelpText("after", epilogue)
    // Errors of usage end where all others do.
    .exitOverride()
    .configureOutput({ outputError: () => undefined });
  addLogin(program);
  addListen(program);
  addConnect(program);
  addPeers(program);
  addPing(program);
  addDoctor(program);
  addBridge(program);
  addClient(program);
  addRule(program);
  addAudit(program);
  addUsage(program);
  addInvite(program);
  addJoin(program);
  return program;
}

async function run(parameters: readonly string[]): Promise<number> {
  try {
    refuseSecrets(parameters);
    await programOf().parseAsync(parameters, { from: "user" });
    // A command that has done its work may still answer no.
    return Number(process.exitCode ?? statuses.done);
  } catch (error) {
    if (!(error instanceof CommanderError)) {
      reportError(error);
      return statusOf(error);
    }
    if (error.exitCode === 0) return statuses.done;
    // This one comes with the help, which says it all.
    if (error.code !== "commander.help") reportError(new Failure(statuses.usage, usageOf(error), { cause: error }));
    return statuses.usage;
  }
}

/** Before anything else looks at the parameters: what follows "--" belongs to somebody else's command. */
function refuseSecrets(parameters: readonly string[]): void {
  const end = parameters.indexOf("--");
  const own = end === -1 ? parameters : parameters.slice(0, end);
  const flag = own
    .map((parameter) => /^--(secret|admin-token|token|password|invitation)(?:=|$)/.exec(parameter)?.[1])
    .find(Boolean);
  if (flag === undefined) return;
  const isToken = flag.endsWith("token");
  const remedy = isToken
    ? "set MP_ADMIN_TOKEN, or give a file with --admin-token-file"
    : 'set MP_SECRET, give a file with --secret-file, or run "mp login"';
  const why = "other users and the shell's history see what stands on a command line";
  throw new Failure(statuses.usage, `--${flag} is not taken, since ${why}: ${remedy}`);
}

/** Commander's sentence, in our form and without values that it doesn't know: one may be a secret in the wrong place. */
function usageOf({ message }: CommanderError): string {
  const [sentence = ""] = message.replace(/^error: /, "").split("\n(");
  const hint = /\(Did you mean (.+)\?\)/.exec(message)?.[1];
  const text = sentence
    .replace(/(unknown option '-[^'=]*)=[^']*'/, "$1'")
    .replace(/( but got \d+): .*/, "$1")
    .replaceAll("\n", " ");
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${hint === undefined ? "" : ` (did you mean ${hint}?)`}`;
}

// Whoever reads our output may go away; who writes learns of it from the write itself.
process.stdout.on("error", () => undefined);
process.stderr.on("error", () => undefined);
const status = await run(process.argv.slice(2));
await flushed(process.stdout).catch(() => undefined);
// Not left to run out: a terminal that is still being read would keep the process.
process.exit(status);
