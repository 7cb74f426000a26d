import type { Mark } from "vega";
import type { Curve, CurveReport } from "../curve-report.ts";
import { shown } from "../show.ts";
import { colours, decadesAround, frame, numbers, svgOf } from "./frame.ts";

/** A curve, in SVG. Both axes are logarithmic, so that a speed that falls as fast as the count grows has a slope of -1. */
export function lineChart(curve: Curve, of: Pick<CurveReport, "date" | "machine">): Promise<string> {
  const points = curve.points.map(({ count, messagesPerSecond }) => ({
    count,
    ...messagesPerSecond,
    label: shown(messagesPerSecond.median),
  }));
  const counts = points.map(({ count }) => count);
  const decades = decadesAround(Math.min(...points.map(({ min }) => min)), Math.max(...points.map(({ max }) => max)));
  return svgOf({
    ...frame({
      title: `${curve.title}: messages/s`,
      note: `Median, and least to most of all rounds; both axes logarithmic; slope ${curve.exponent.toFixed(2)}`,
      of,
      height: 220,
      labelsWidth: 70,
    }),
    data: [{ name: "points", values: points }],
    scales: [
      { name: "count", type: "log", domain: [Math.min(...counts), Math.max(...counts)], range: "width" },
      { name: "value", type: "log", domain: [decades.at(0) ?? 0, decades.at(-1) ?? 0], range: "height" },
    ],
    axes: [
      numbers("left", "value", decades),
      {
        ...numbers("bottom", "count", counts),
        grid: false,
        title: curve.axis,
        titleColor: colours.quiet,
        titleFontWeight: "normal",
      },
    ],
    marks: [band, line, point, label],
  });
}

const at = { x: { scale: "count", field: "count" }, y: { scale: "value", field: "median" } } as const;

const band: Mark = {
  type: "area",
  from: { data: "points" },
  encode: {
    enter: {
      x: at.x,
      y: { scale: "value", field: "min" },
      y2: { scale: "value", field: "max" },
      fill: { value: colours.ours },
      fillOpacity: { value: 0.2 },
    },
  },
};

const line: Mark = {
  type: "line",
  from: { data: "points" },
  encode: { enter: { ...at, stroke: { value: colours.ours }, strokeWidth: { value: 2 } } },
};

const point: Mark = {
  type: "symbol",
  from: { data: "points" },
  encode: { enter: { ...at, fill: { value: colours.ours }, size: { value: 40 } } },
};

const label: Mark = {
  type: "text",
  from: { data: "points" },
  encode: {
    enter: {
      ...at,
      dy: { value: -12 },
      text: { field: "label" },
      align: { value: "center" },
      fill: { value: colours.text },
      fontSize: { value: 12 },
    },
  },
};
