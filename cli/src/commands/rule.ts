import { text as textIn } from "node:stream/consumers";
import type { Command } from "commander";
import { AdminApi } from "../admin-api.ts";
import { note, print, printJson } from "../output.ts";
import { type AdminFlags, textOf, withAdminFlags } from "../settings.ts";
import { Failure, statuses } from "../status.ts";
import { noteUnconfirmed } from "../unconfirmed.ts";

interface Flags extends AdminFlags {
  readonly json?: true;
  readonly empty?: true;
}

const language = `
Each line is a rule. The first rule that matches an open decides. If none matches, "default open" or "default closed" does.
In names and protocols, * matches anything. Put a name with spaces or punctuation in double quotes.

  role staff = alice bob
  allow @staff -> files-* : ssh sftp
  deny  *      -> vault   : *
  default closed`;

/** Adds `mp rule` with its subcommands. */
export function addRule(program: Command): void {
  const rule = program
    .command("rule")
    .helpCommand(false)
    .description("manage the rules about who may open what to whom (needs the admin token)")
    .addHelpText("after", `${language}\n\nExamples:\n  mp rule set rules.txt\n  mp rule test alice bob ssh`);
  const command = (usage: string, description: string): Command =>
    withAdminFlags(rule.command(usage).description(description));

  command("show", "print the realm's rules")
    .addHelpText("after", "\nExamples:\n  mp rule show > rules.txt")
    .action(async (flags: Flags) => {
      const text = await (await AdminApi.of(flags)).rules();
      if (text === "") note("The realm has no rules: every client may open every protocol to every other");
      else await print(...linesOf(text));
    });
  command("set <file>", 'replace the rules, for open Connections too; "-" reads standard input')
    .option("--empty", "let a file without rules remove all rules of the realm")
    .addHelpText("after", `${language}\n\nExamples:\n  mp rule set rules.txt\n  echo 'default closed' | mp rule set -`)
    .action(async (file: string, flags: Flags) => {
      const text = await (file === "-" ? textIn(process.stdin) : textOf(file, "rules"));
      // More likely a mistake, as a command before it in a pipe that has failed: then everything would be allowed.
      if (!flags.empty && !hasRules(text)) {
        const what = file === "-" ? "Standard input" : file;
        throw new Failure(statuses.usage, `${what} has no rules: give --empty to remove all rules of the realm`);
      }
      const replaced = await (await AdminApi.of(flags)).replaceRules(text);
      note("The new rules are in force");
      noteUnconfirmed(replaced);
    });
  command(
    "test <opener> <peer> <protocol>",
    "tell whether a client may open a protocol to a peer, and which line decides",
  )
    .option("--json", "print JSON")
    .addHelpText("after", "\nExits with status 0 for yes, and 5 for no.\n\nExamples:\n  mp rule test alice bob ssh")
    .action(test);
}

function hasRules(text: string): boolean {
  return text.split("\n").some((line) => !/^\s*(?:#|$)/.test(line));
}

/** The lines of the rules without what only looks different: tabs, and the line ends of other systems. */
function linesOf(text: string): string[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => line.trimEnd().replaceAll("\t", "  "));
}

async function test(opener: string, peer: string, protocol: string, flags: Flags): Promise<void> {
  const api = await AdminApi.of(flags);
  const { isAllowed, line } = await api.decide(opener, peer, protocol);
  const text = line === 0 ? undefined : (await api.rules()).split("\n")[line - 1]?.trim();
  if (flags.json) await printJson({ isAllowed, line, text });
  else await print(`${isAllowed ? "yes" : "no"}: ${text === undefined ? "no rule matches" : `line ${line}: ${text}`}`);
  if (!isAllowed) process.exitCode = statuses.refused;
}
