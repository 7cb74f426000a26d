import type { Curve } from "./curve-report.ts";
import type { RoundTimes } from "./scenarios/scenario.ts";
import { fittedExponent } from "./statistics.ts";

export type Point = Curve["points"][number];

export const messageBytes = 64;
/**
 * Of all senders together, however many there are: receivers share a process, so each of thousands reads late, and what
 * windows would let them have unread is far more than a router keeps.
 */
export const mostUnderWay = 131_072;
/** Of each point. */
export const curveRounds = 3;
/** Thousands of clients need a while until all of them send. */
export const curveTimes: RoundTimes = { warmUpMs: 2_000, durationMs: 1_000 };

export function curveOf(about: Pick<Curve, "name" | "title" | "axis">, points: readonly Point[]): Curve {
  const exponent = fittedExponent(
    points.map(({ count, messagesPerSecond }) => ({ x: count, y: messagesPerSecond.median })),
  );
  return { ...about, unit: "/s", points, exponent };
}
