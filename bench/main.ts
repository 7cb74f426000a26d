// Measures the router, and what people would use instead, on this machine. README.md says how, and how to read it.
import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { parseArgs, styleText } from "node:util";
import { curvesText, measuredCurves } from "./curve.ts";
import { resultsFolder, writePage } from "./page-files.ts";
import { formatsPlan, fullPlan, quickPlan } from "./plan.ts";
import { type Report, reportOf } from "./report.ts";
import { measured, type Measured, type Plan, type Progress } from "./run.ts";
import { Stage } from "./stage.ts";
import { unmeasured } from "./tables.ts";
import { terminalText } from "./terminal.ts";

const help = `Usage: npm run bench -- [options]

  --quick            streams, round trips and opens that have a target, in under two minutes, instead of all
  --formats          one-way traffic between ends of each format, in about a minute
  --curve            how speed goes with the number of clients and of Connections, in about five minutes
  --only NAME        only the scenario of this name; may be said several times
  --page             measure nothing; make README.md and its charts anew from the results that are written
  --json             print the results as JSON, and nothing else
  --assert           exit with status 1 if a target is missed or can't be measured
  --profile FOLDER   write CPU profiles of the processes with ends there
  --help             print this

Examples:
  npm run bench -- --quick
  npm run bench -- --only one-way-64 --only round-trip
  npm run -s bench -- --quick --json >results.json
`;

/** On a terminal one line that changes, elsewhere one line each; on stderr, since stdout is for results. */
const progress: Progress = {
  now: (text) => {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
    else if (text !== "") process.stderr.write(`${text}\n`);
  },
  said: (text) => {
    process.stderr.write(`${process.stderr.isTTY ? "\r\x1b[K" : ""}${text}\n`);
  },
};

const options = optionsFrom(process.argv.slice(2));

if (options.help) process.stdout.write(help);
else if (options.page) await writePage();
else if (options.curve) await runCurves();
else await run(planChosen());

function planChosen(): Plan {
  const plan = options.formats ? formatsPlan : options.quick ? quickPlan : fullPlan;
  const { only } = options;
  if (only === undefined) return plan;
  const unknown = only.find((name) => !plan.scenarios.some((scenario) => scenario.name === name));
  if (unknown === undefined) return { ...plan, scenarios: plan.scenarios.filter(({ name }) => only.includes(name)) };
  const names = plan.scenarios.map(({ name }) => name).join(", ");
  process.stderr.write(`There is no scenario "${unknown}". There are: ${names}\n`);
  return process.exit(2);
}

async function run(plan: Plan): Promise<void> {
  const report = await reportOn(plan);
  const json = `${JSON.stringify(report, null, 2)}\n`;
  if (options.json) process.stdout.write(json);
  else process.stdout.write(terminalText(report, (style, text) => styleText(style, text, { stream: process.stdout })));
  // A part of a plan must not stand where its whole does.
  if (options.only === undefined) {
    writeResults(plan.name, json);
    if (plan.name === fullPlan.name) await writePage();
  }
  const results = report.scenarios.flatMap((scenario) => scenario.results);
  const isMissed = results.some(({ target }) => target?.isMet === false) || unmeasured(report).length > 0;
  if (options.assert && isMissed) process.exitCode = 1;
}

async function runCurves(): Promise<void> {
  const report = await measuredCurves(progress);
  const json = `${JSON.stringify(report, null, 2)}\n`;
  process.stdout.write(options.json ? json : curvesText(report));
  writeResults("curve", json);
  await writePage();
}

function writeResults(name: string, json: string): void {
  const file = join(resultsFolder, `${name}.json`);
  mkdirSync(resultsFolder, { recursive: true });
  writeFileSync(file, json);
  progress.said(`Written to ${relative(process.cwd(), file)}`);
}

async function reportOn(plan: Plan): Promise<Report> {
  await using stage = new Stage(options.profile);
  const all: Measured[] = [];
  for (const scenario of plan.scenarios) all.push(await measured(scenario, plan, stage, progress));
  progress.now("");
  return reportOf(plan, await stage.versions(), all);
}

function optionsFrom(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        curve: { type: "boolean", default: false },
        formats: { type: "boolean", default: false },
        quick: { type: "boolean", default: false },
        page: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        assert: { type: "boolean", default: false },
        only: { type: "string", multiple: true },
        profile: { type: "string" },
        help: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${help}`);
    return process.exit(2);
  }
}
