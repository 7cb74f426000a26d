// The parts of README.md, and its charts, that are made from results.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { format, resolveConfig } from "prettier";
import { chart } from "./charts/charts.ts";
import { exponentOf, type Report, type ScenarioReport } from "./report.ts";
import { machineText, shown } from "./show.ts";
import { costTable, metricTables, overviewTable, type Table, targetTable, unmeasured } from "./tables.ts";

export const pageFile = join(import.meta.dirname, "../README.md");
export const resultsFolder = join(import.meta.dirname, "../results");

/** Makes the page and its charts from the results of the last full run. */
export async function writePage(): Promise<void> {
  const report = writtenReport();
  const page = await pageWith(report, readFileSync(pageFile, "utf8"));
  const charts = await chartsOf(report);
  for (const name of writtenCharts()) rmSync(join(resultsFolder, name));
  for (const [name, svg] of charts) writeFileSync(join(resultsFolder, name), svg);
  writeFileSync(pageFile, page);
}

/** What the last full run wrote; undefined where there was none. */
export function writtenReport(): Report | undefined {
  const file = join(resultsFolder, "full.json");
  // main.ts wrote it.
  return existsSync(file) ? (resultsIn(readFileSync(file, "utf8")) as Report) : undefined;
}

/** JSON has no infinity, the ratio to a round in which nothing arrived: it is written as null. */
export function resultsIn(json: string): unknown {
  return JSON.parse(json, (_key, value: unknown) => value ?? Infinity);
}

/** All charts, by the name of their file. */
export async function chartsOf(report: Report | undefined): Promise<Map<string, string>> {
  const charts = new Map<string, string>();
  if (report !== undefined)
    for (const scenario of report.scenarios) charts.set(`${scenario.name}.svg`, await chart(scenario, report));
  return charts;
}

/** Names of files, which may be of scenarios that no longer exist. */
export function writtenCharts(): string[] {
  return existsSync(resultsFolder) ? readdirSync(resultsFolder).filter((name) => name.endsWith(".svg")) : [];
}

/**
 * The page with its generated parts made anew. Everything else stays.
 *
 * @throws Error when it has no place for them.
 */
export async function pageWith(report: Report | undefined, page: string): Promise<string> {
  const isCurve = ({ axis }: ScenarioReport): boolean => axis !== undefined;
  const curves = report?.scenarios.filter(isCurve).flatMap((curve) => sectionOf(curve)) ?? [];
  const bars = report?.scenarios.filter((scenario) => !isCurve(scenario)).flatMap((scenario) => sectionOf(scenario));
  const withResults = replaced(page, "results", bars && report ? resultsOf(report, bars) : [notMeasured]);
  const withAll = replaced(withResults, "curves", curves.length > 0 ? curves : [notMeasured]);
  // As `npm run format` would leave it, above all its tables.
  return await format(withAll, { ...(await resolveConfig(import.meta.filename)), parser: "markdown" });
}

const notMeasured = "Not measured yet: run `npm run bench`.";

function replaced(page: string, part: string, paragraphs: readonly string[]): string {
  const [start, end] = [`<!-- ${part} -->`, `<!-- end of ${part} -->`];
  const [from, to] = [page.indexOf(start), page.indexOf(end)];
  if (from === -1 || to < from) throw new Error(`The page has no place for ${part}, from "${start}" to "${end}"`);
  return [page.slice(0, from) + start, ...paragraphs, page.slice(to)].join("\n\n");
}

function resultsOf(report: Report, sections: readonly string[]): string[] {
  const missing = unmeasured(report);
  const isMet = report.scenarios.flatMap(({ results }) => results.flatMap(({ target }) => target?.isMet ?? []));
  return [
    `Measured on ${report.date.slice(0, 10)}: ${machineText(report)}. A round lasts ${shown(report.plan.durationMs)} ms, except for restarts, idle memory, wakes and curves. Each table says how many rounds it is made from.`,
    "Medians, for contenders that take part in more than one scenario:",
    markdown(overviewTable(report)),
    "Versions:",
    versionsOf(report),
    "### Targets",
    `${isMet.filter(Boolean).length} of ${isMet.length} targets are met (✓).`,
    ...(missing.length > 0
      ? [`Not measured, because the contender isn't on this machine: ${missing.join("; ")}.`]
      : []),
    ...(isMet.length > 0 ? [markdown(targetTable(report))] : []),
    ...sections,
    "### Processor time",
    "Seconds for a million messages (M) and for a GiB of payload, as medians:",
    markdown(costTable(report)),
  ];
}

function sectionOf(scenario: ScenarioReport): string[] {
  return [
    `### ${capitalized(scenario.title)}`,
    `![${scenario.title}](results/${scenario.name}.svg)`,
    ...metricTables(scenario).flatMap(({ metric, ...table }) => [
      `${capitalized(metric)}, of ${roundsOf(scenario)}:`,
      markdown(withoutEmptyColumns(table)),
    ]),
    ...(scenario.axis === undefined
      ? []
      : [
          `The speed follows the count to the power of ${exponentOf(scenario).toFixed(2)}. At 0, the count would make no difference.`,
        ]),
  ];
}

/** As in "15 rounds, or 3 without a target". */
function roundsOf({ rounds }: ScenarioReport): string {
  const counts = Object.values(rounds).map(({ length }) => length);
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  return `${most} rounds${least < most ? `, or ${least} without a target` : ""}`;
}

function versionsOf({ versions, scenarios }: Report): string {
  const titles = new Map(
    scenarios.flatMap(({ results }) => results.map(({ contender, contenderTitle }) => [contender, contenderTitle])),
  );
  return Object.entries(versions)
    .filter(([name]) => titles.has(name))
    .map(([name, version]) => `- ${titles.get(name)}: ${version}`)
    .join("\n");
}

function withoutEmptyColumns({ rows: [head = [], ...rows], numberColumns }: Table): Table {
  const kept = [...head.keys()].filter((column) => rows.some((row) => row[column] !== ""));
  return {
    rows: [head, ...rows].map((row) => kept.map((column) => row[column] ?? "")),
    numberColumns: numberColumns.map((column) => kept.indexOf(column)),
  };
}

function markdown({ rows: [head = [], ...rows], numberColumns }: Table): string {
  const rule = head.map((_, column) => (numberColumns.includes(column) ? "--:" : "---"));
  return [head, rule, ...rows]
    .map((row) => `| ${row.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`)
    .join("\n");
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
