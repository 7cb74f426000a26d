import type { Stage } from "../stage.ts";

/** Figures of one round, by what they measure. */
export type Figures = Readonly<Record<string, number>>;

/** How long one round takes. */
export interface RoundTimes {
  /** Time whose figures are thrown away. */
  readonly warmUpMs: number;
  readonly durationMs: number;
}

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

/** One of those that a scenario compares. */
export interface Contender {
  readonly name: string;
  readonly title: string;
  /**
   * Makes ready; what it resolves to measures a round.
   *
   * @param own takes what is to end with the scenario.
   * @throws AbsentError when it can't be measured here.
   */
  start(stage: Stage, own: AsyncDisposableStack): Promise<(times: RoundTimes) => Promise<Figures>>;
}

/** Something to measure on several contenders. */
export interface Scenario {
  /** As in results and file names. */
  readonly name: string;
  readonly title: string;
  /** The first is the one that its chart shows. */
  readonly metrics: readonly Metric[];
  /** The first is ours: the ratios are of it to each of the others. */
  readonly contenders: readonly Contender[];
  readonly targets: readonly Target[];
  /** Instead of the plan's, where a round is long, or one says little. */
  readonly rounds?: number;
  /** Instead of the plan's, where it takes longer until there is machine code. */
  readonly settleMs?: number;
}
