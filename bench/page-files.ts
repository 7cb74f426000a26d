import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { barChart } from "./charts/bar-chart.ts";
import { lineChart } from "./charts/line-chart.ts";
import type { CurveReport } from "./curve-report.ts";
import { chartOf, chartOfCurve, pageWith, type Results } from "./page.ts";
import type { Report } from "./report.ts";

export const pageFile = join(import.meta.dirname, "README.md");
export const resultsFolder = join(import.meta.dirname, "results");

/** What the last full runs wrote. */
export function writtenResults(): Results {
  // main.ts wrote them.
  return {
    report: written("full.json") as Report | undefined,
    curves: written("curve.json") as CurveReport | undefined,
  };
}

/** All charts, by the name of their file. */
export async function chartsOf({ report, curves }: Results): Promise<Map<string, string>> {
  const charts = new Map<string, string>();
  if (report !== undefined)
    for (const scenario of report.scenarios) charts.set(chartOf(scenario), await barChart(scenario, report));
  if (curves !== undefined)
    for (const curve of curves.curves) charts.set(chartOfCurve(curve), await lineChart(curve, curves));
  return charts;
}

/** Makes the page and its charts anew from what was written. */
export async function writePage(): Promise<void> {
  const results = writtenResults();
  const page = await pageWith(results, readFileSync(pageFile, "utf8"));
  const charts = await chartsOf(results);
  for (const name of writtenCharts()) rmSync(join(resultsFolder, name));
  for (const [name, svg] of charts) writeFileSync(join(resultsFolder, name), svg);
  writeFileSync(pageFile, page);
}

/** Names of files; some may be of scenarios that are no more. */
export function writtenCharts(): string[] {
  return existsSync(resultsFolder) ? readdirSync(resultsFolder).filter((name) => name.endsWith(".svg")) : [];
}

function written(name: string): unknown {
  const file = join(resultsFolder, name);
  return existsSync(file) ? resultsIn(readFileSync(file, "utf8")) : undefined;
}

/** JSON has no infinity, as the ratio to a round in which nothing arrived: it is written as null. */
export function resultsIn(json: string): unknown {
  return JSON.parse(json, (_key, value: unknown) => value ?? Infinity);
}
