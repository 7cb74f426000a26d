import type { Report } from "./report.ts";
import type { Spread } from "./statistics.ts";

/** What `--curve` found out; this, as JSON, is what it writes. */
export interface CurveReport extends Pick<Report, "date" | "machine" | "versions"> {
  readonly curves: readonly Curve[];
}

/** How fast messages go, by how much there is of something. */
export interface Curve {
  readonly name: string;
  readonly title: string;
  /** What is counted, as in "open Connections". */
  readonly axis: string;
  readonly unit: string;
  readonly points: readonly { readonly count: number; readonly messagesPerSecond: Spread }[];
  /** Of the power of the count that the points follow best: 0 is a speed that doesn't depend on it. */
  readonly exponent: number;
}
