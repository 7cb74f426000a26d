// Measures the router, and what people would use instead, on this machine. README.md says how, and how to read it.
import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { parseArgs, styleText } from "node:util";
import { fullPlan, quickPlan, shardsPlan } from "./plan.ts";
import { resultsFolder, writePage } from "./report/page.ts";
import { areTargetsMet, type Report, reportOf } from "./report/report.ts";
import { terminalText } from "./report/terminal.ts";
import { measured, type Measured, type Plan, type Progress } from "./run.ts";
import { Stage } from "./stage.ts";

const help = `Usage: npm run bench -- [options]

  --quick            only streams, round trips and opens that have a target, in under two minutes
  --shards           only realms of several shards: what their messages cost, and what each object has to do
  --only NAME        only the scenario of this name, or those whose names begin with it: "one-way", "curve";
                     may be repeated
  --page             measure nothing; make README.md and its charts from the results of the last full run
  --json             print the results as JSON, and nothing else
  --assert           exit with status 1 if a target is missed or can't be measured
  --help             print this

Examples:
  npm run bench -- --quick
  npm run bench -- --only one-way-64 --only round-trip
  npm run -s bench -- --quick --json >results.json
`;

/** On stderr, since stdout is for results. On a terminal a text takes the place of the one before, unless that lasts. */
const progress: Progress = (text, isLasting = false) => {
  const { isTTY } = process.stderr;
  if (text !== "" || isTTY) process.stderr.write(`${isTTY ? "\r\x1b[K" : ""}${text}${isTTY && !isLasting ? "" : "\n"}`);
};

const options = optionsFrom(process.argv.slice(2));

if (options.help) process.stdout.write(help);
else if (options.page) await writePage();
else if (options.shards) await run(shardsPlan);
else await run(options.quick ? quickPlan : fullPlan);

async function run(plan: Plan): Promise<void> {
  const { only } = options;
  // A part of a plan must not stand where the results of the whole plan do.
  const file = only === undefined ? join(resultsFolder, `${plan.name}.json`) : undefined;
  const report = await reportOn(only === undefined ? plan : partOf(plan, only), file);
  if (options.json) process.stdout.write(jsonOf(report));
  else process.stdout.write(terminalText(report, (style, text) => styleText(style, text, { stream: process.stdout })));
  if (file !== undefined) progress(`Written to ${relative(process.cwd(), file)}`, true);
  if (file !== undefined && plan === fullPlan) await writePage();
  if (options.assert && !areTargetsMet(report)) process.exitCode = 1;
}

/** @param file gets the results after each scenario, so that a run that dies loses only the scenario it died in. */
async function reportOn(plan: Plan, file: string | undefined): Promise<Report> {
  await using stage = new Stage();
  const all: Measured[] = [];
  let report = reportOf(plan, {}, all);
  for (const scenario of plan.scenarios) {
    all.push(await measured(scenario, plan, stage, progress));
    report = reportOf(plan, stage.versions, all);
    if (file === undefined) continue;
    mkdirSync(resultsFolder, { recursive: true });
    writeFileSync(file, jsonOf(report));
  }
  progress("");
  return report;
}

function partOf(plan: Plan, only: readonly string[]): Plan {
  const names = plan.scenarios.map(({ name }) => name);
  const matching = (wanted: string): string[] =>
    names.includes(wanted) ? [wanted] : names.filter((name) => name.startsWith(`${wanted}-`));
  const unknown = only.find((wanted) => matching(wanted).length === 0);
  const chosen = new Set(only.flatMap(matching));
  if (unknown === undefined) return { ...plan, scenarios: plan.scenarios.filter(({ name }) => chosen.has(name)) };
  process.stderr.write(`There is no scenario "${unknown}". There are: ${names.join(", ")}\n`);
  return process.exit(2);
}

function jsonOf(report: Report): string {
  return `${JSON.stringify(report, null, 2)}\n`;
}

function optionsFrom(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        quick: { type: "boolean", default: false },
        shards: { type: "boolean", default: false },
        only: { type: "string", multiple: true },
        page: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        assert: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${help}`);
    return process.exit(2);
  }
}
