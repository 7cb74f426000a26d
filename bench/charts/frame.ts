// What all charts have: a title, where the figures come from, axes, and how the whole becomes SVG.
import { type Axis, parse, type Spec, View } from "vega";
import type { Report } from "../report.ts";
import { machineText } from "../show.ts";

// A background of their own makes them readable on light and on dark pages.
export const colours = {
  background: "#ffffff",
  text: "#1f2328",
  quiet: "#59636e",
  grid: "#e6e8eb",
  ours: "#0969da",
  others: "#afb8c1",
  whisker: "#32383f",
};

const [totalWidth, right] = [740, 90];

export interface Frame {
  readonly title: string;
  /** How to read it. */
  readonly note: string;
  readonly of: Pick<Report, "date" | "machine">;
  readonly height: number;
  /** Of the labels at the left. */
  readonly labelsWidth: number;
}

/** Its size is given, since Vega can't know the width of text in the reader's fonts. */
export function frame({ title, note, of: { date, machine }, height, labelsWidth }: Frame) {
  return {
    description: title,
    background: colours.background,
    autosize: "none",
    width: totalWidth - labelsWidth - right,
    height,
    padding: { left: labelsWidth, right, top: 80, bottom: 44 },
    title: {
      text: title,
      subtitle: [note, `${date.slice(0, 10)}, ${machineText(machine)}`],
      anchor: "start",
      frame: "group",
      dx: 16 - labelsWidth,
      offset: 16,
      color: colours.text,
      fontSize: 16,
      subtitleColor: colours.quiet,
      subtitleFontSize: 12,
      subtitlePadding: 6,
    },
  } satisfies Spec;
}

/** An axis of numbers. */
export function numbers(orient: "bottom" | "left", scale: string, values?: readonly number[]) {
  return {
    orient,
    scale,
    grid: true,
    gridColor: colours.grid,
    domain: false,
    ticks: false,
    labelColor: colours.quiet,
    labelPadding: 6,
    // "500K", as the figures are written.
    encode: {
      labels: {
        update: {
          text: { signal: "datum.value < 1000 ? format(datum.value, '~r') : upper(format(datum.value, '~s'))" },
        },
      },
    },
    ...(values === undefined ? { tickCount: 5 } : { values: [...values] }),
  } satisfies Axis;
}

/** From the one below to the one above, so that on a logarithmic scale a small difference stays small. */
export function decadesAround(least: number, most: number): number[] {
  const first = Math.floor(Math.log10(least));
  const last = Math.max(first + 1, Math.ceil(Math.log10(most)));
  return Array.from({ length: last - first + 1 }, (_, at) => 10 ** (first + at));
}

export async function svgOf(spec: Spec): Promise<string> {
  const view = new View(parse(spec), { renderer: "none" });
  try {
    return `${await view.toSVG()}\n`;
  } finally {
    view.finalize();
  }
}
