// What a report says, as cells: the terminal and the page show the same ones.
import { byMetric, type Report, type Result, type ScenarioReport } from "./report.ts";
import { metricName, shown, shownRange, shownRatio, shownWithUnit, verdictOf } from "./show.ts";

/** The first row is the head; columns of numbers are to be aligned at their right. */
export interface Table {
  readonly rows: readonly (readonly string[])[];
  readonly numberColumns: readonly number[];
}

/** Processor time, by column of its own table. */
const costColumns = new Map([
  ["serverCpuPerMillion", "server/M"],
  ["clientsCpuPerMillion", "clients/M"],
  ["serverCpuPerGibibyte", "server/GiB"],
  ["clientsCpuPerGibibyte", "clients/GiB"],
]);

/** A line for each contender. */
export interface MetricTable extends Table {
  readonly metric: string;
}

/** What a scenario is about, and what else has a target. The other figures stand at the end of each line. */
export function metricTables(scenario: ScenarioReport): MetricTable[] {
  const metrics = byMetric(scenario);
  const hasTable = (results: readonly Result[]): boolean =>
    results === metrics[0] || results.some(({ target }) => target !== undefined);
  const others = metrics.filter((results) => !hasTable(results)).flat();
  return metrics.filter(hasTable).map((results, table) => ({
    metric: results[0] === undefined ? "" : metricName(results[0]),
    numberColumns: [1, 3],
    rows: [
      ["", "median", "least to most", "ours to it", "least to most", "target", "also"],
      ...results.map((result) => [
        result.contenderTitle,
        shown(result.value.median),
        shownRange(result.value),
        result.ratio === undefined ? "" : shownRatio(result.ratio.median),
        result.ratio === undefined ? "" : shownRange(result.ratio, shownRatio),
        verdictOf(result),
        table > 0 ? "" : alsoOf(others.filter(({ contender }) => contender === result.contender)),
      ]),
    ],
  }));
}

/** As in "payload 91.5 MB/s". */
function alsoOf(results: readonly Result[]): string {
  return results
    .filter(({ figure }) => !costColumns.has(figure))
    .map((result) => `${result.title} ${shownWithUnit(result.value.median, result)}`)
    .join(", ");
}

/** Processor seconds that a million messages and a GiB take. A scenario's title stands at the first of its lines. */
export function costTable({ scenarios }: Report): Table {
  const lines = scenarios.flatMap(({ title, results }) => {
    const byContender = Object.groupBy(
      results.filter(({ figure }) => costColumns.has(figure)),
      ({ contenderTitle }) => contenderTitle,
    );
    return Object.entries(byContender).map(([contenderTitle, costs = []], at) => [
      at === 0 ? title : "",
      contenderTitle,
      ...[...costColumns.keys()].map((column) => {
        const cost = costs.find(({ figure }) => figure === column);
        return cost === undefined ? "" : shown(cost.value.median);
      }),
    ]);
  });
  return { rows: [["", "", ...costColumns.values()], ...lines], numberColumns: [2, 3, 4, 5] };
}

/** Every promise, and what became of it. */
export function targetTable({ scenarios }: Report): Table {
  return {
    rows: [
      ["scenario", "figure", "against", "target", "ours to it", "least to most"],
      ...scenarios.flatMap(({ title, results }) =>
        results
          .filter(({ target }) => target !== undefined)
          .map((result) => [
            title,
            metricName(result),
            result.contenderTitle,
            verdictOf(result),
            result.ratio === undefined ? "" : shownRatio(result.ratio.median),
            result.ratio === undefined ? "" : shownRange(result.ratio, shownRatio),
          ]),
      ),
    ],
    numberColumns: [4],
  };
}

/** What is promised and couldn't be measured, as in "64 B one way to NATS". */
export function unmeasured({ scenarios }: Report): string[] {
  return scenarios.flatMap(({ title, absent }) => absent.map((who) => `${title} to ${who}`));
}

/** The scenarios in one look: medians, a column for each of those that take part in more than one. */
export function overviewTable({ scenarios }: Report): Table {
  const mains = scenarios.map((scenario) => ({ title: scenario.title, results: byMetric(scenario)[0] ?? [] }));
  const resultOf = (results: readonly Result[], who: string): Result | undefined =>
    results.find(({ contenderTitle }) => contenderTitle === who);
  const everyone = new Set(mains.flatMap(({ results }) => results.map(({ contenderTitle }) => contenderTitle)));
  const columns = [...everyone].filter((who) => mains.filter(({ results }) => resultOf(results, who)).length > 1);
  const lines = mains.flatMap(({ title, results }) => {
    const shared = columns.map((who) => resultOf(results, who));
    const first = shared.find((result) => result !== undefined);
    if (first === undefined) return [];
    return [[`${title}, ${metricName(first)}`, ...shared.map((result) => (result ? shown(result.value.median) : ""))]];
  });
  return { rows: [["", ...columns], ...lines], numberColumns: columns.map((_, at) => at + 1) };
}
