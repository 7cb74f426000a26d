import { readFileSync } from "node:fs";
import { join } from "node:path";
import { clientCurves } from "./curve-clients.ts";
import { connectionsCurve } from "./curve-connections.ts";
import type { Curve, CurveReport } from "./curve-report.ts";
import { machine } from "./report.ts";
import type { Progress } from "./run.ts";
import { machineText, shown, shownRange } from "./show.ts";

/** How speed goes with the number of clients, and of Connections. */
export async function measuredCurves(progress: Progress): Promise<CurveReport> {
  const curves = [await connectionsCurve(progress), ...(await clientCurves(progress))];
  progress.now("");
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, "../client/package.json"), "utf8")) as {
    readonly version: string;
  };
  return {
    date: new Date().toISOString(),
    machine: machine(),
    versions: { router: `messagepasser ${version}` },
    curves,
  };
}

/** The curves for a terminal. */
export function curvesText(report: CurveReport): string {
  return [machineText(report.machine), ...report.curves.map((curve) => curveText(curve))].join("\n\n") + "\n";
}

function curveText({ title, axis, unit, points, exponent }: Curve): string {
  return [
    `${title}: throughput ∝ ${axis}^${exponent.toFixed(2)}`,
    ...points.map(({ count, messagesPerSecond }) =>
      [
        count.toLocaleString("en").padStart(10),
        `${shown(messagesPerSecond.median)}${unit}`.padStart(10),
        `  (${shownRange(messagesPerSecond)})`,
      ].join(""),
    ),
  ].join("\n");
}
