// The charts of the page, as SVG. bars.vg.json and line.vg.json say how they look, and this file fills them.
import { parse, type Spec, View } from "vega";
import { byMetric, exponentOf, type Report, type Result, type ScenarioReport } from "../report.ts";
import { isMoreBetter, machineText, metricName, shown, shownWithUnit } from "../show.ts";
import bars from "./bars.vg.json" with { type: "json" };
import line from "./line.vg.json" with { type: "json" };
import theme from "./theme.json" with { type: "json" };

/** What is filled into a chart. */
interface Filling {
  readonly height: number;
  readonly rows: readonly object[];
  readonly scales: readonly object[];
  readonly signals: Readonly<Record<string, unknown>>;
}

/** Bars are on a logarithmic scale when one is this many times as long as another: the short ones would vanish. */
const mostOnLinearScale = 20;
const rowHeight = 30;

/** The first metric of a scenario: a bar for each contender, or a line for a curve. */
export async function chart(scenario: ScenarioReport, origin: Pick<Report, "date" | "machine">): Promise<string> {
  const [results = []] = byMetric(scenario);
  const [ours] = results;
  if (ours === undefined) throw new TypeError(`Nothing was measured of "${scenario.title}"`);
  const isCurve = scenario.axis !== undefined;
  const { height, rows, scales, signals } = isCurve ? ofLine(scenario, results) : ofBars(results, ours);
  const title = `${scenario.title}: ${metricName(ours)}`;
  const all = {
    ...signals,
    title,
    subtitle: [
      `Median, and least to most of all rounds; ${String(signals["note"])}`,
      `${origin.date.slice(0, 10)}, ${machineText(origin)}`,
    ],
  };
  const spec = {
    ...(isCurve ? line : bars),
    description: title,
    height,
    data: [{ name: "rows", values: rows }],
    scales,
    signals: Object.entries(all).map(([name, value]) => ({ name, value })),
  };
  // The files follow Vega's schema, which is more than the compiler can tell of JSON.
  const view = new View(parse(spec as unknown as Spec, theme as Parameters<typeof parse>[1]), { renderer: "none" });
  try {
    return `${await view.toSVG()}\n`;
  } finally {
    view.finalize();
  }
}

/** The best one is at the top, and ours in colour. */
function ofBars(results: readonly Result[], ours: Result): Filling {
  const rows = results
    .map((result) => ({
      contender: result.contenderTitle,
      ...result.value,
      label: shownWithUnit(result.value.median, result),
      colour: result === ours ? "#0969da" : "#afb8c1",
      weight: result === ours ? "bold" : "normal",
    }))
    .sort((a, b) => (isMoreBetter(ours) ? b.median - a.median : a.median - b.median));
  const medians = rows.map(({ median }) => median);
  const isLogarithmic =
    Math.min(...rows.map(({ min }) => min)) > 0 && Math.max(...medians) / Math.min(...medians) > mostOnLinearScale;
  const { scale, ticks } = isLogarithmic
    ? logarithmic(results)
    : { scale: { name: "value", domain: [0, Math.max(...rows.map(({ max }) => max))] }, ticks: null };
  const domain = { data: "rows", field: "contender" };
  const note = isMoreBetter(ours) ? "more is better" : "less is better";
  return {
    height: rows.length * rowHeight,
    rows,
    scales: [
      { name: "contender", type: "band", domain, range: "height", padding: 0.25 },
      { ...scale, range: "width" },
    ],
    signals: { note: isLogarithmic ? `${note}; logarithmic` : note, ticks },
  };
}

/** With two logarithmic axes, a speed that falls as fast as the count grows has a slope of -1. */
function ofLine(curve: ScenarioReport, results: readonly Result[]): Filling {
  const rows = results.map(({ contender, value }) => ({
    count: Number(contender),
    ...value,
    label: shown(value.median),
  }));
  const counts = rows.map(({ count }) => count);
  const { scale, ticks } = logarithmic(results);
  return {
    height: 220,
    rows,
    scales: [
      { name: "count", type: "log", domain: [Math.min(...counts), Math.max(...counts)], range: "width" },
      { ...scale, range: "height" },
    ],
    signals: { note: `both axes logarithmic; slope ${exponentOf(curve).toFixed(2)}`, axis: curve.axis, counts, ticks },
  };
}

/** From a power of ten below all figures to one above them. On such a scale a small difference stays small. */
function logarithmic(results: readonly Result[]) {
  const first = Math.floor(Math.log10(Math.min(...results.map(({ value }) => value.min))));
  const last = Math.max(first + 1, Math.ceil(Math.log10(Math.max(...results.map(({ value }) => value.max)))));
  const ticks = Array.from({ length: last - first + 1 }, (_, at) => 10 ** (first + at));
  return { scale: { name: "value", type: "log", domain: [10 ** first, 10 ** last] }, ticks };
}
