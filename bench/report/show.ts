// How figures are written for people, the same in tables and in charts.
import type { Metric } from "../scenarios/scenario.ts";
import type { Report, Result } from "./report.ts";
import type { Spread } from "./statistics.ts";

const plain = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const compact = new Intl.NumberFormat("en", { maximumSignificantDigits: 3, notation: "compact" });
const hundredths = new Intl.NumberFormat("en", {
  maximumSignificantDigits: 3,
  maximumFractionDigits: 2,
  roundingPriority: "lessPrecision",
});

/** In three digits; a benchmark knows no more. Large numbers are short: "1.43M". */
export function shown(value: number): string {
  return (value < 100_000 ? plain : compact).format(value);
}

/** As in "1.43M/s" and "64.3 µs". */
export function shownWithUnit(value: number, { unit }: Pick<Metric, "unit">): string {
  return `${shown(value)}${unit.startsWith("/") ? "" : " "}${unit}`;
}

export function shownRatio(value: number): string {
  return `${hundredths.format(value)}×`;
}

/** As in "553K to 1.48M". */
export function shownRange({ min, max }: Spread, show: (value: number) => string = shown): string {
  return `${show(min)} to ${show(max)}`;
}

/** As in "messages/s" and "p50, µs". */
export function metricName({ title, unit }: Pick<Metric, "title" | "unit">): string {
  return unit.startsWith("/") ? title + unit : `${title}, ${unit}`;
}

/** As in "✓ at least 3"; empty without a target. */
export function verdictOf({ target }: Pick<Result, "target">): string {
  if (target === undefined) return "";
  return `${target.isMet ? "✓" : "✗"} ${"atLeast" in target ? `at least ${target.atLeast}` : `at most ${target.atMost}`}`;
}

/** True for rates; of times and memory, less is better. */
export function isMoreBetter({ unit }: Pick<Metric, "unit">): boolean {
  return unit.endsWith("/s");
}

export function machineText({ machine }: Pick<Report, "machine">): string {
  return `${machine["processor"]}, ${machine["cores"]} cores, ${machine["system"]}, Node ${machine["node"]}`;
}
