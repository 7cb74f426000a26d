import type { RoundTimes } from "./ends/end.ts";
import { openToFirstByte, roundTrip } from "./scenarios/latency.ts";
import { oneWay, oneWayIn } from "./scenarios/one-way.ts";
import type { Scenario } from "./scenarios/scenario.ts";

/** What a run measures, how often and for how long. */
export interface Plan {
  readonly name: "quick" | "formats" | "full";
  readonly scenarios: readonly Scenario[];
  /** Pairs of rounds, router and relay, that count; one pair more comes before and is thrown away. */
  readonly rounds: number;
  readonly times: RoundTimes;
}

const throughput = { atLeast: 0.5 };
const latency = { atMost: 1.5 };

/** Under two minutes in all. */
export const quickPlan: Plan = {
  name: "quick",
  scenarios: [oneWay(64, "64 B", throughput), oneWay(65_536, "64 KiB", throughput), roundTrip(latency)],
  rounds: 15,
  times: { warmUpMs: 150, durationMs: 600 },
};

/** What the router has to write anew, and what it only passes on. */
const formatScenarios = [
  oneWayIn(64, "64 B", ["native", "native"]),
  oneWayIn(64, "64 B", ["msgpack", "msgpack"]),
  oneWayIn(64, "64 B", ["protobuf", "protobuf"]),
  oneWayIn(64, "64 B", ["json", "json"]),
  oneWayIn(64, "64 B", ["native", "msgpack"]),
  oneWayIn(64, "64 B", ["native", "json"]),
  oneWayIn(64, "64 B", ["json", "native"]),
] as const;

/** About a minute: each format once. */
export const formatsPlan: Plan = {
  name: "formats",
  scenarios: formatScenarios,
  rounds: 7,
  times: { warmUpMs: 150, durationMs: 600 },
};

export const fullPlan: Plan = {
  name: "full",
  scenarios: [
    oneWay(16, "16 B"),
    oneWay(64, "64 B", throughput),
    oneWay(1_024, "1 KiB"),
    oneWay(16_384, "16 KiB"),
    oneWay(65_536, "64 KiB", throughput),
    oneWay(1_048_576, "1 MiB"),
    roundTrip(latency),
    openToFirstByte(),
    ...formatScenarios,
  ],
  rounds: 15,
  times: { warmUpMs: 300, durationMs: 2_000 },
};
