import type { Command } from "commander";
import { examine } from "../doctor/doctor.ts";
import type { Check, Examination, Onlooker } from "../doctor/examination.ts";
import { shown } from "../doctor/network.ts";
import { clearProgress, print, printable, printJson, showProgress } from "../output.ts";
import { type ClientFlags, clientSettings, withClientFlags } from "../settings.ts";
import { Failure } from "../status.ts";

interface Flags extends ClientFlags {
  readonly json?: true;
}

const examples = `
The checks begin at the network and end with what programs do. The doctor looks up the router, signs in, opens Connections
to the router's built-in peers, measures round trips and throughput, and tries each format. For each check it prints
whether it passed, and for a failed check what to do.

Examples:
  mp doctor
  mp doctor --url wss://router.example.com --name doctor --secret-file doctor.secret
  mp doctor --json | jq '.checks[] | select(.outcome == "failed")'`;

/** Adds `mp doctor`. */
export function addDoctor(program: Command): void {
  withClientFlags(program.command("doctor"))
    .description("check the path to the router, and what the router does")
    .option("--json", "print all checks at the end, as one JSON object")
    .addHelpText("after", examples)
    .action(doctor);
}

async function doctor(flags: Flags): Promise<void> {
  const settings = await clientSettings(flags);
  const examination = await examine(settings, flags.json ? silent : onTerminal);
  const sentence = sentenceOf(examination);
  const { checks, status } = examination;
  const failure = examination.firstFailure;
  if (flags.json) {
    const { url, realm, name } = settings;
    await printJson({ url: shown(url), realm, name, isOk: failure === undefined, status, sentence, checks });
  }
  if (failure !== undefined) throw new Failure(status, sentence);
  if (!flags.json) await print(sentence);
}

function sentenceOf(examination: Examination): string {
  const [ok, failed, skipped] = [examination.count("ok"), examination.count("failed"), examination.count("skipped")];
  const failure = examination.firstFailure;
  const left = skipped === 0 ? "" : `, ${skipped} skipped`;
  if (failure === undefined) return `All is well: ${ok} checks passed${left}`;
  return `${failed} of ${ok + failed} checks failed${left}. Begin with "${failure.name}": ${failure.detail}`;
}

const silent: Onlooker = { begins: () => undefined, ends: () => Promise.resolve() };

const onTerminal: Onlooker = {
  begins(name) {
    showProgress(`…        ${name}`);
  },
  async ends({ outcome, name, detail }: Check) {
    clearProgress();
    await print(`${outcome.padEnd(7)}  ${printable(name).padEnd(14)}  ${detail}`);
  },
};
