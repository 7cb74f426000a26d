import type { Mark } from "vega";
import { byMetric, type Report, type ScenarioReport } from "../report.ts";
import { isMoreBetter, metricName, shownWithUnit } from "../show.ts";
import { colours, decadesAround, frame, numbers, svgOf } from "./frame.ts";

/** Times that one bar may be as long as another; beyond it the short ones tell nothing. */
const mostOnLinearScale = 20;
const rowHeight = 30;
const labelsWidth = 200;

/** The first metric of a scenario, in SVG: a bar for each contender, the best one at the top, ours in colour. */
export function barChart(scenario: ScenarioReport, of: Pick<Report, "date" | "machine">): Promise<string> {
  const [results = []] = byMetric(scenario);
  const [ours] = results;
  if (ours === undefined) throw new TypeError(`Nothing was measured of "${scenario.title}"`);
  const bars = results
    .map((result) => ({
      who: result.contenderTitle,
      ...result.value,
      label: shownWithUnit(result.value.median, result),
      colour: result === ours ? colours.ours : colours.others,
      weight: result === ours ? "bold" : "normal",
    }))
    .sort((a, b) => (isMoreBetter(ours) ? b.median - a.median : a.median - b.median));
  const medians = bars.map(({ median }) => median);
  const [least, most] = [Math.min(...bars.map(({ min }) => min)), Math.max(...bars.map(({ max }) => max))];
  const isLogarithmic = least > 0 && Math.max(...medians) / Math.min(...medians) > mostOnLinearScale;
  const decades = isLogarithmic ? decadesAround(least, most) : undefined;
  const notes = [
    "Median, and least to most of all rounds",
    isMoreBetter(ours) ? "more is better" : "less is better",
    ...(isLogarithmic ? ["logarithmic"] : []),
  ];
  return svgOf({
    ...frame({
      title: `${scenario.title}: ${metricName(ours)}`,
      note: notes.join("; "),
      of,
      height: bars.length * rowHeight,
      labelsWidth,
    }),
    data: [{ name: "bars", values: bars }],
    scales: [
      { name: "who", type: "band", domain: { data: "bars", field: "who" }, range: "height", padding: 0.25 },
      decades === undefined
        ? { name: "value", type: "linear", domain: [0, most], range: "width" }
        : { name: "value", type: "log", domain: [decades.at(0) ?? 0, decades.at(-1) ?? 0], range: "width" },
    ],
    axes: [
      numbers("bottom", "value", decades),
      {
        orient: "left",
        scale: "who",
        domain: false,
        ticks: false,
        labelFontSize: 12,
        labelLimit: 0,
        labelPadding: 8,
        labelColor: colours.text,
      },
    ],
    marks: [bar, whisker, whiskerEnd("min"), whiskerEnd("max"), label],
  });
}

const row = { scale: "who", field: "who", band: 0.5 } as const;

const bar: Mark = {
  type: "rect",
  from: { data: "bars" },
  encode: {
    enter: {
      y: { scale: "who", field: "who" },
      height: { scale: "who", band: 1 },
      // The left edge: a logarithmic scale has no zero.
      x: { value: 0 },
      x2: { scale: "value", field: "median" },
      fill: { field: "colour" },
    },
  },
};

const whisker: Mark = {
  type: "rule",
  from: { data: "bars" },
  encode: {
    enter: {
      y: row,
      x: { scale: "value", field: "min" },
      x2: { scale: "value", field: "max" },
      stroke: { value: colours.whisker },
    },
  },
};

const label: Mark = {
  type: "text",
  from: { data: "bars" },
  encode: {
    enter: {
      y: row,
      x: { scale: "value", field: "max", offset: 8 },
      text: { field: "label" },
      baseline: { value: "middle" },
      fill: { value: colours.text },
      fontSize: { value: 12 },
      fontWeight: { field: "weight" },
    },
  },
};

function whiskerEnd(field: "min" | "max"): Mark {
  return {
    type: "rule",
    from: { data: "bars" },
    encode: {
      enter: {
        x: { scale: "value", field },
        y: { ...row, offset: -4 },
        y2: { ...row, offset: 4 },
        stroke: { value: colours.whisker },
      },
    },
  };
}
