import { cpus, totalmem } from "node:os";
import type { Measured, Plan } from "../run.ts";
import type { Figures, Metric, Scenario, Target } from "../scenarios/scenario.ts";
import { fittedExponent, pairedRatios, type Spread, spreadOf } from "./statistics.ts";

/** What a run has found. Its JSON is what the run writes. */
export interface Report {
  readonly date: string;
  readonly plan: Pick<Plan, "name" | "settleMs" | "rounds"> & Plan["times"];
  readonly machine: Readonly<Record<string, string | number>>;
  /** Of what was measured, by name of the system. */
  readonly versions: Readonly<Record<string, string>>;
  readonly scenarios: readonly ScenarioReport[];
}

export interface ScenarioReport extends Pick<Scenario, "name" | "title" | "axis"> {
  readonly results: readonly Result[];
  /** Titles of contenders that have a target, but aren't on this machine. */
  readonly absent: readonly string[];
  /** Every figure of every round, by contender. */
  readonly rounds: Readonly<Record<string, readonly Figures[]>>;
}

/** One figure of one contender. */
export interface Result extends Metric {
  readonly contender: string;
  readonly contenderTitle: string;
  readonly value: Spread;
  /** Of our figure to this one, round by round. Undefined for ours and on a curve. */
  readonly ratio?: Spread;
  readonly target?: Target & { readonly isMet: boolean };
}

export function reportOf(plan: Plan, versions: Report["versions"], measured: readonly Measured[]): Report {
  return {
    date: new Date().toISOString(),
    plan: { name: plan.name, settleMs: plan.settleMs, rounds: plan.rounds, ...plan.times },
    machine: machine(),
    versions,
    scenarios: measured.map(scenarioReportOf),
  };
}

function scenarioReportOf({ scenario, rounds }: Measured): ScenarioReport {
  const { name, title, axis, metrics, targets, contenders } = scenario;
  const all = [...rounds];
  const [first] = all;
  const results = metrics.flatMap((metric) =>
    all.map(([contender, figures]): Result => {
      const values = valuesOf(figures, metric);
      const result = { ...metric, contender: contender.name, contenderTitle: contender.title, value: spreadOf(values) };
      if (first === undefined || contender === first[0] || axis !== undefined) return result;
      const ratio = spreadOf(pairedRatios(valuesOf(first[1], metric), values));
      const target = targets.find(({ figure, against }) => figure === metric.figure && against === contender.name);
      return { ...result, ratio, ...(target && { target: { ...target, isMet: isMet(target, ratio.median) } }) };
    }),
  );
  const absent = contenders.filter(
    (contender) => !rounds.has(contender) && targets.some(({ against }) => against === contender.name),
  );
  return {
    name,
    title,
    ...(axis !== undefined && { axis }),
    results,
    absent: absent.map((contender) => contender.title),
    rounds: Object.fromEntries(all.map(([contender, figures]) => [contender.name, figures])),
  };
}

function valuesOf(figures: readonly Figures[], { figure }: Metric): number[] {
  return figures.map((round) => {
    const value = round[figure];
    if (value === undefined) throw new TypeError(`A round has no figure "${figure}"`);
    return value;
  });
}

function isMet(target: Target, ratio: number): boolean {
  return "atLeast" in target ? ratio >= target.atLeast : ratio <= target.atMost;
}

/** Figures mean nothing without it. */
function machine(): Report["machine"] {
  const processors = cpus();
  return {
    processor: processors[0]?.model.trim() ?? "unknown",
    cores: processors.length,
    memoryBytes: totalmem(),
    system: `${process.platform} ${process.arch}`,
    node: process.version,
  };
}

/** The results of a scenario by metric, beginning with the one that the scenario is about. */
export function byMetric({ results }: ScenarioReport): Result[][] {
  return Object.values(Object.groupBy(results, ({ figure }) => figure)).filter((figures) => figures !== undefined);
}

/** Whether every target was measured and met. */
export function areTargetsMet({ scenarios }: Report): boolean {
  return scenarios.every(
    ({ results, absent }) => absent.length === 0 && results.every(({ target }) => target?.isMet !== false),
  );
}

/** The power of the count that a curve follows best: 0 is a speed that doesn't depend on the count. */
export function exponentOf(curve: ScenarioReport): number {
  const [results = []] = byMetric(curve);
  return fittedExponent(results.map(({ contender, value }) => ({ x: Number(contender), y: value.median })));
}
