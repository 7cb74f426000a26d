// What a report says, as cells. The terminal and the page show the same ones.
import { byMetric, type Report, type Result, type ScenarioReport } from "./report.ts";
import { metricName, shown, shownRange, shownRatio, shownWithUnit, verdictOf } from "./show.ts";

/** The first row is the head. Columns of numbers are aligned at their right. */
export interface Table {
  readonly rows: readonly (readonly string[])[];
  readonly numberColumns: readonly number[];
}

/** A row for each contender. */
export type MetricTable = Table & { readonly metric: string };

/** Figures of processor time have a table of their own, with these columns. */
const costColumns = new Map([
  ["serverCpuPerMillion", "server/M"],
  ["clientsCpuPerMillion", "clients/M"],
  ["serverCpuPerGibibyte", "server/GiB"],
  ["clientsCpuPerGibibyte", "clients/GiB"],
]);

/** A table for the metric that a scenario is about, and for each with a target. Others are at the end of each row. */
export function metricTables(scenario: ScenarioReport): MetricTable[] {
  const metrics = byMetric(scenario);
  const hasTable = (results: readonly Result[]): boolean =>
    results === metrics[0] || results.some(({ target }) => target !== undefined);
  const others = metrics.filter((results) => !hasTable(results)).flat();
  return metrics.filter(hasTable).map((results, table) => ({
    metric: results[0] === undefined ? "" : metricName(results[0]),
    numberColumns: [1, 3],
    rows: [
      [scenario.axis ?? "", "median", "least to most", "ratio", "least to most", "target", "also"],
      ...results.map((result) => [
        result.contenderTitle,
        shown(result.value.median),
        shownRange(result.value),
        ...ratioOf(result),
        verdictOf(result),
        table > 0 ? "" : alsoOf(others.filter(({ contender }) => contender === result.contender)),
      ]),
    ],
  }));
}

function ratioOf({ ratio }: Result): [median: string, range: string] {
  return ratio === undefined ? ["", ""] : [shownRatio(ratio.median), shownRange(ratio, shownRatio)];
}

/** As in "payload 91.5 MB/s". */
function alsoOf(results: readonly Result[]): string {
  return results
    .filter(({ figure }) => !costColumns.has(figure))
    .map((result) => `${result.title} ${shownWithUnit(result.value.median, result)}`)
    .join(", ");
}

/** Processor seconds for a million messages and for a GiB. A scenario's title is in the first of its rows. */
export function costTable({ scenarios }: Report): Table {
  const rows = scenarios.flatMap(({ title, results }) => {
    const costs = results.filter(({ figure }) => costColumns.has(figure));
    const byContender = Object.groupBy(costs, ({ contenderTitle }) => contenderTitle);
    return Object.entries(byContender).map(([contenderTitle, ofContender = []], at) => [
      at === 0 ? title : "",
      contenderTitle,
      ...[...costColumns.keys()].map((column) => {
        const cost = ofContender.find(({ figure }) => figure === column);
        return cost === undefined ? "" : shown(cost.value.median);
      }),
    ]);
  });
  return { rows: [["", "", ...costColumns.values()], ...rows], numberColumns: [2, 3, 4, 5] };
}

/** Every target that was measured, and whether it is met. */
export function targetTable({ scenarios }: Report): Table {
  const rows = scenarios.flatMap(({ title, results }) =>
    results
      .filter(({ target }) => target !== undefined)
      .map((result) => [title, metricName(result), result.contenderTitle, verdictOf(result), ...ratioOf(result)]),
  );
  return {
    rows: [["scenario", "figure", "against", "target", "ratio", "least to most"], ...rows],
    numberColumns: [4],
  };
}

/** Targets that couldn't be measured, as in "64 B one way against NATS". */
export function unmeasured({ scenarios }: Report): string[] {
  return scenarios.flatMap(({ title, absent }) => absent.map((contender) => `${title} against ${contender}`));
}

/** Medians of all scenarios, with a column for each contender that takes part in more than one. */
export function overviewTable({ scenarios }: Report): Table {
  const mains = scenarios
    .filter(({ axis }) => axis === undefined)
    .map((scenario) => ({ title: scenario.title, results: byMetric(scenario)[0] ?? [] }));
  const everyone = mains.flatMap(({ results }) => results.map(({ contenderTitle }) => contenderTitle));
  const columns = [...new Set(everyone)].filter((title) => everyone.indexOf(title) !== everyone.lastIndexOf(title));
  const rows = mains.flatMap(({ title, results }) => {
    const cells = columns.map((column) => results.find(({ contenderTitle }) => contenderTitle === column));
    const first = cells.find((result) => result !== undefined);
    if (first === undefined) return [];
    return [[`${title}, ${metricName(first)}`, ...cells.map((result) => (result ? shown(result.value.median) : ""))]];
  });
  return { rows: [["", ...columns], ...rows], numberColumns: columns.map((_, at) => at + 1) };
}
