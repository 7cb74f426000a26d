import { cpus, totalmem } from "node:os";
import type { Plan } from "./plan.ts";
import type { Figures, Metric, Scenario, Target } from "./scenarios/scenario.ts";
import { pairedRatios, type Spread, spreadOf } from "./statistics.ts";

/** All figures of one scenario, round by round. */
export interface Measured {
  readonly scenario: Scenario;
  readonly router: readonly Figures[];
  readonly relay: readonly Figures[];
}

/** What a run found out; this, as JSON, is what it writes. */
export interface Report {
  readonly date: string;
  readonly plan: {
    readonly name: string;
    readonly rounds: number;
    readonly warmUpMs: number;
    readonly durationMs: number;
  };
  readonly machine: Readonly<Record<string, string | number>>;
  /** How many bytes both systems keep under way at most. */
  readonly windowBytes: number;
  readonly results: readonly Result[];
  /** Every figure of every round, by scenario. */
  readonly rounds: Readonly<
    Record<string, { readonly router: readonly Figures[]; readonly relay: readonly Figures[] }>
  >;
}

/** One line of the table. */
export interface Result {
  readonly scenario: string;
  readonly title: string;
  readonly unit: Metric["unit"];
  readonly router: Spread;
  readonly relay: Spread;
  /** Router to relay, pair of rounds by pair of rounds. */
  readonly ratio: Spread;
  readonly target?: Target & { readonly isMet: boolean };
}

export function reportOf({ name, rounds, times }: Plan, windowBytes: number, measured: readonly Measured[]): Report {
  return {
    date: new Date().toISOString(),
    plan: { name, rounds, ...times },
    machine: machine(),
    windowBytes,
    results: measured.flatMap((one) => one.scenario.metrics.map((metric) => resultOf(one, metric))),
    rounds: Object.fromEntries(measured.map(({ scenario, router, relay }) => [scenario.name, { router, relay }])),
  };
}

function resultOf({ scenario, router, relay }: Measured, { figure, title, unit, target }: Metric): Result {
  const routerValues = router.map((round) => round[figure] ?? Number.NaN);
  const relayValues = relay.map((round) => round[figure] ?? Number.NaN);
  const ratio = spreadOf(pairedRatios(routerValues, relayValues));
  return {
    scenario: scenario.name,
    title,
    unit,
    router: spreadOf(routerValues),
    relay: spreadOf(relayValues),
    ratio,
    ...(target && { target: { ...target, isMet: isMet(target, ratio.median) } }),
  };
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

/** The report for people: one line for each figure. */
export function tableOf(report: Report): string {
  const { machine: on, plan, results, windowBytes } = report;
  const rows = results.map((result) => [
    result.title,
    `${shown(result.router)} ${result.unit}`,
    `${shown(result.relay)} ${result.unit}`,
    shown(result.ratio, 2),
    verdict(result.target),
  ]);
  const lines = aligned([["", "router", "relay", "ratio", "target"], ...rows]);
  return [
    `${on["processor"]}, ${on["cores"]} cores, ${on["system"]}, Node ${on["node"]}`,
    `Median (min to max) of ${plan.rounds} rounds of ${plan.durationMs} ms each; the relay's window ${windowBytes} bytes`,
    "",
    ...lines,
    "",
  ].join("\n");
}

function shown({ median, min, max }: Spread, digits?: number): string {
  const format = (value: number): string => value.toFixed(digits ?? (median < 100 ? 1 : 0));
  return `${format(median)} (${format(min)} to ${format(max)})`;
}

function verdict(target: Result["target"]): string {
  if (target === undefined) return "";
  const bound = "atLeast" in target ? `at least ${target.atLeast}` : `at most ${target.atMost}`;
  return `${bound}: ${target.isMet ? "ok" : "miss"}`;
}

function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("   ")
      .trimEnd(),
  );
}
