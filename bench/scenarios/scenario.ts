import type { Stage } from "../stage.ts";
import type { RoundTimes } from "../systems/end.ts";

/** What one round has measured, by figure. */
export type Figures = Readonly<Record<string, number>>;

/** A figure that a scenario compares. */
export interface Metric {
  /** Of `Figures`. */
  readonly figure: string;
  readonly title: string;
  readonly unit: string;
}

/** What is promised of the ratio of the first contender to another, in one figure. */
export type Target = { readonly figure: string; readonly against: string } & (
  { readonly atLeast: number } | { readonly atMost: number }
);

/** Measures one round. */
export type Measure = (times: RoundTimes) => Promise<Figures>;

/** One of those that a scenario compares. */
export interface Contender {
  readonly name: string;
  readonly title: string;
  /**
   * Gets ready.
   *
   * @param own disposes of what ends with the scenario.
   * @throws AbsentError when the contender can't be measured here.
   */
  start(stage: Stage, own: AsyncDisposableStack): Promise<Measure>;
}

/** Something to measure on several contenders. */
export interface Scenario {
  /** As in options, results and file names. */
  readonly name: string;
  readonly title: string;
  /** The chart shows the first. */
  readonly metrics: readonly Metric[];
  /** The first is ours: ratios are of its figures to those of the others. */
  readonly contenders: readonly Contender[];
  readonly targets: readonly Target[];
  /**
   * Makes this a curve: the contenders' names are numbers, of which this is the unit, as in "clients". Each of them is
   * started, measured and ended before the next.
   */
  readonly axis?: string;
  /** Instead of the plan's. A contender without a target has no more than the plan's. */
  readonly rounds?: number;
  /** Instead of the plan's. 0 for no round before those that count. */
  readonly settleMs?: number;
}
