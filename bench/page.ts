// The parts of README.md that are made from results.
import { format, resolveConfig } from "prettier";
import type { CurveReport } from "./curve-report.ts";
import type { Report, ScenarioReport } from "./report.ts";
import { machineText, shown } from "./show.ts";
import { costTable, metricTables, overviewTable, type Table, targetTable, unmeasured } from "./tables.ts";

/** What the page is made from; undefined where nothing was measured yet. */
export interface Results {
  readonly report: Report | undefined;
  readonly curves: CurveReport | undefined;
}

/** Charts of the page, as names of files in results/. */
export function chartOf(scenario: { readonly name: string }): string {
  return `${scenario.name}.svg`;
}
export function chartOfCurve(curve: { readonly name: string }): string {
  return `curve-${curve.name}.svg`;
}

/**
 * The page with its generated parts made anew; everything else stays.
 *
 * @throws Error when it has no place for them.
 */
export async function pageWith({ report, curves }: Results, page: string): Promise<string> {
  const withResults = replaced(
    page,
    "results",
    report === undefined ? notMeasured("npm run bench") : resultsOf(report),
  );
  const withAll = replaced(
    withResults,
    "curves",
    curves === undefined ? notMeasured("npm run bench -- --curve") : curvesOf(curves),
  );
  // As `npm run format` would have it, tables above all.
  return await format(withAll, { ...(await resolveConfig(import.meta.filename)), parser: "markdown" });
}

function replaced(page: string, part: string, text: string): string {
  const [start, end] = [`<!-- ${part} -->`, `<!-- end of ${part} -->`];
  const [from, to] = [page.indexOf(start), page.indexOf(end)];
  if (from === -1 || to < from) throw new Error(`The page has no place for ${part}, from "${start}" to "${end}"`);
  return `${page.slice(0, from)}${start}\n\n${text}\n\n${page.slice(to)}`;
}

function notMeasured(command: string): string {
  return `Not measured yet: \`${command}\` does it.`;
}

function resultsOf(report: Report): string {
  const targets = targetTable(report);
  const missing = unmeasured(report);
  const isMet = report.scenarios.flatMap(({ results }) => results.flatMap(({ target }) => target?.isMet ?? []));
  return [
    `${originOf(report)} Rounds of ${shown(report.plan.durationMs)} ms each, as many as each table says; a restart, idle memory and a wake take as long as they take.`,
    "Medians. Whoever takes part in one scenario only stands there, further below.",
    markdown(overviewTable(report)),
    "Versions:",
    versionsOf(report),
    "### Targets",
    `${isMet.filter(Boolean).length} of ${isMet.length} are met (✓).`,
    ...(missing.length > 0 ? [`Not measured, for want of whom it is compared with: ${missing.join("; ")}.`] : []),
    ...(isMet.length > 0 ? [markdown(targets)] : []),
    ...report.scenarios.flatMap((scenario) => [
      `### ${scenario.title}`,
      `![${scenario.title}](results/${chartOf(scenario)})`,
      ...metricTables(scenario).flatMap(({ metric, ...table }) => [
        `In ${metric}, of ${roundsOf(scenario)} rounds:`,
        markdown(table),
      ]),
    ]),
    "### Processor time",
    "In seconds, for a million messages (M) and for a GiB:",
    markdown(costTable(report)),
  ].join("\n\n");
}

function curvesOf(report: CurveReport): string {
  return [
    originOf(report),
    ...report.curves.flatMap((curve) => [
      `### ${curve.title}`,
      `![${curve.title}](results/${chartOfCurve(curve)})`,
      markdown({
        rows: [
          [curve.axis, "messages/s", "least to most"],
          ...curve.points.map(({ count, messagesPerSecond: { median, min, max } }) => [
            count.toLocaleString("en"),
            shown(median),
            `${shown(min)} to ${shown(max)}`,
          ]),
        ],
        numberColumns: [0, 1],
      }),
      `Speed goes with the count to the power of ${curve.exponent.toFixed(2)}.`,
    ]),
  ].join("\n\n");
}

function roundsOf({ rounds }: ScenarioReport): number {
  return Math.max(0, ...Object.values(rounds).map(({ length }) => length));
}

/** As in "Measured on 2026-11-24: …". */
function originOf({ date, machine }: Pick<Report, "date" | "machine">): string {
  return `Measured on ${date.slice(0, 10)}: ${machineText(machine)}.`;
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

function markdown({ rows: [head = [], ...rows], numberColumns }: Table): string {
  const rule = head.map((_, column) => (numberColumns.includes(column) ? "--:" : "---"));
  return [head, rule, ...rows]
    .map((row) => `| ${row.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`)
    .join("\n");
}
