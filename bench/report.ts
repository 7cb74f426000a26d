import { cpus, totalmem } from "node:os";
import type { Measured, Plan } from "./run.ts";
import type { Figures, Metric, Target } from "./scenarios/scenario.ts";
import { pairedRatios, type Spread, spreadOf } from "./statistics.ts";

/** What a run found out; this, as JSON, is what it writes. */
export interface Report {
  readonly date: string;
  readonly plan: Pick<Plan, "name" | "settleMs" | "rounds"> & Plan["times"];
  readonly machine: Readonly<Record<string, string | number>>;
  /** What was measured, by name of the system. */
  readonly versions: Readonly<Record<string, string>>;
  readonly scenarios: readonly ScenarioReport[];
}

export interface ScenarioReport {
  readonly name: string;
  readonly title: string;
  readonly results: readonly Result[];
  /** Titles of those who have a target, but weren't there. */
  readonly absent: readonly string[];
  /** Every figure of every round, by contender. */
  readonly rounds: Readonly<Record<string, readonly Figures[]>>;
}

/** One figure of one contender. */
export interface Result extends Metric {
  readonly contender: string;
  readonly contenderTitle: string;
  readonly value: Spread;
  /** Ours to it, round by round. Not there for ours. */
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
  const { name, title, metrics, targets } = scenario;
  const all = [...rounds];
  const [first] = all;
  const results = metrics.flatMap((metric) =>
    all.map(([contender, figures]): Result => {
      const values = valuesOf(figures, metric);
      const result = { ...metric, contender: contender.name, contenderTitle: contender.title, value: spreadOf(values) };
      if (first === undefined || contender === first[0]) return result;
      const ratio = spreadOf(pairedRatios(valuesOf(first[1], metric), values));
      const target = targets.find(({ figure, against }) => figure === metric.figure && against === contender.name);
      return { ...result, ratio, ...(target && { target: { ...target, isMet: isMet(target, ratio.median) } }) };
    }),
  );
  const absent = scenario.contenders.filter(
    (contender) => !rounds.has(contender) && targets.some(({ against }) => against === contender.name),
  );
  return {
    name,
    title,
    results,
    absent: absent.map((contender) => contender.title),
    rounds: Object.fromEntries(all.map(([{ name: who }, figures]) => [who, figures])),
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
export function machine(): Report["machine"] {
  const processors = cpus();
  return {
    processor: processors[0]?.model.trim() ?? "unknown",
    cores: processors.length,
    memoryBytes: totalmem(),
    system: `${process.platform} ${process.arch}`,
    node: process.version,
  };
}

/** The figures of a scenario, those of one metric together; the first is the one that it is about. */
export function byMetric({ results }: ScenarioReport): Result[][] {
  return Object.values(Object.groupBy(results, ({ figure }) => figure)).filter((figures) => figures !== undefined);
}
