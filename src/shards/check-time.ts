import { routerLimits } from "@messagepasser/protocol";
import { homeOf } from "./home.ts";

/**
 * When the shards of a realm next find out whether the others still have their links, in milliseconds since 1970: all of
 * them at the same time, since each wakes all others. Realms have different times.
 */
export function nextCheckMs(realm: string, nowMs: number): number {
  const { checkShardsEveryMs } = routerLimits;
  const phaseMs = (homeOf(realm, phases) * checkShardsEveryMs) / phases;
  return Math.floor((nowMs - phaseMs) / checkShardsEveryMs + 1) * checkShardsEveryMs + phaseMs;
}

const phases = 1_000;
