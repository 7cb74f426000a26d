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
import { addKey } from "./commands/key.ts";
import { addLogin } from "./commands/login.ts";
import { addPeers } from "./commands/peers.ts";
import { addPing } from "./commands/ping.ts";
import { addRealm } from "./commands/realm.ts";
import { addRule } from "./commands/rule.ts";
import { addToken } from "./commands/token.ts";
import { addUsage } from "./commands/usage.ts";
import { flushed, reportError } from "./output.ts";
import { Failure, Interrupted, ReaderGone, statuses, statusMeanings, statusOf } from "./status.ts";

const epilogue = `
A setting comes from its flag, else from MP_URL, MP_REALM, MP_NAME, MP_INSTANCE, MP_SECRET, MP_ADMIN_TOKEN or MP_HEADERS,
else from the profile that "mp login" writes. No flag takes a secret, since other users and the shell's history see the
command line.
HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY are followed as by curl, and NODE_EXTRA_CA_CERTS names a file with the
certificates of private authorities.
Many programs may be connected with one name. With --instance, a program takes the place of one that has the same name
and instance.

Exit statuses:
${Object.entries(statusMeanings)
  .map(([status, meaning]) => `  ${status}  ${meaning}`)
  .join("\n")}
  128 and the signal's number if a signal stopped the command, as 130 for Ctrl+C

Examples:
  mp login                               store the router, the name and the secret
  mp listen files > files.tar            accept one Connection (on one machine)
  tar c photos | mp connect bob files    open it (on another machine)
  mp ping bob
  mp doctor                              check the path to the router
  HTTPS_PROXY=http://proxy.example.com:3128 mp peers`;

/** The command with all its subcommands. */
function programOf(): Command {
  const program = new Command("mp")
    .description(packageJson.description)
    .version(packageJson.version, "--version", "print the version")
    .helpOption("-h, --help", "show this help")
    .helpCommand(false)
    .addHelpText("after", epilogue)
    // Usage errors are reported where all others are.
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
  addKey(program);
  addToken(program);
  addRealm(program);
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
    // A command that succeeded may still answer "no".
    return Number(process.exitCode ?? statuses.done);
  } catch (error) {
    if (!(error instanceof CommanderError)) {
      const isQuiet = (error instanceof Interrupted || error instanceof ReaderGone) && error.isQuiet;
      if (!isQuiet) reportError(error);
      return statusOf(error);
    }
    if (error.exitCode === 0) return statuses.done;
    // This error comes with the help, which says everything.
    if (error.code !== "commander.help") reportError(new Failure(statuses.usage, usageOf(error), { cause: error }));
    return statuses.usage;
  }
}

/** Refuses flags with secrets, before anything else reads the parameters. After "--" they are another command's. */
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
  const why = "other users and the shell's history see the command line";
  throw new Failure(statuses.usage, `--${flag} is not supported, since ${why}: ${remedy}`);
}

/** Commander's sentence in our form, without the values of unknown flags: one may be a secret in the wrong place. */
function usageOf({ message }: CommanderError): string {
  const [sentence = ""] = message.replace(/^error: /, "").split("\n(");
  const hint = /\(Did you mean (.+)\?\)/.exec(message)?.[1];
  const text = sentence
    .replace(/(unknown option '-[^'=]*)=[^']*'/, "$1'")
    .replace(/( but got \d+): .*/, "$1")
    .replaceAll("\n", " ");
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${hint === undefined ? "" : ` (did you mean ${hint}?)`}`;
}

// The reader of the output may go away. The write itself then fails.
process.stdout.on("error", () => undefined);
process.stderr.on("error", () => undefined);
const status = await run(process.argv.slice(2));
await flushed(process.stdout).catch(() => undefined);
// Exits at once, since a terminal that is still being read would keep the process alive.
process.exit(status);
