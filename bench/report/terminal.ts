// The report for a terminal, in 110 columns.
import type { Report } from "./report.ts";
import { machineText } from "./show.ts";
import { costTable, metricTables, type Table, targetTable, unmeasured } from "./tables.ts";

/** Gives text a colour or a weight, where there are any. */
export type Paint = (style: "bold" | "dim" | "green" | "red", text: string) => string;

export function terminalText(report: Report, paint: Paint): string {
  const { plan, scenarios } = report;
  const tables = scenarios.flatMap((scenario) =>
    metricTables(scenario).map((table) => ({ ...table, title: `${scenario.title}: ${table.metric}` })),
  );
  const widths = widthsOf(tables.flatMap(({ rows }) => rows));
  const costs = costTable(report);
  const costLines = costs.rows.length > 1 ? [...linesOf(costs, widthsOf(costs.rows), paint), ""] : [];
  const costTitle = "Processor time, seconds for a million messages (M) and for a GiB";
  return [
    machineText(report),
    `Rounds of ${plan.durationMs} ms`,
    "",
    ...tables.flatMap((table, at) => {
      const [head = "", ...lines] = linesOf(table, widths, paint);
      // The tables have the same columns, so only the first shows its head.
      return [...(at === 0 ? [paint("dim", head)] : []), paint("bold", table.title), ...lines, ""];
    }),
    ...(costLines.length > 0 ? [paint("bold", costTitle), ...costLines] : []),
    ...targetLines(report, paint),
  ].join("\n");
}

/** How many targets are met, and each that isn't. */
function targetLines(report: Report, paint: Paint): string[] {
  const [, ...targets] = targetTable(report).rows;
  const missing = unmeasured(report).map((what) => paint("red", `  not measured: ${what}`));
  if (targets.length === 0) return missing;
  const missed = targets.filter((row) => row.some((cell) => isMissed(cell)));
  return [
    paint(
      missed.length === 0 ? "green" : "red",
      `${targets.length - missed.length} of ${targets.length} targets are met`,
    ),
    ...missed.map(([scenario, figure, against, verdict, ratio]) =>
      paint("red", `  ${verdict}: ${scenario}, ${figure}, against ${against} ${ratio}`),
    ),
    ...missing,
    "",
  ];
}

function linesOf({ rows, numberColumns }: Table, widths: readonly number[], paint: Paint): string[] {
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        const padded = numberColumns.includes(column) ? cell.padStart(width) : cell.padEnd(width);
        return isMissed(cell) ? paint("red", padded) : cell.startsWith("✓") ? paint("green", padded) : padded;
      })
      .join("  ")
      .trimEnd(),
  );
}

function isMissed(cell: string): boolean {
  return cell.startsWith("✗");
}

function widthsOf(rows: Table["rows"]): number[] {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  return Array.from({ length: columns }, (_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
}
