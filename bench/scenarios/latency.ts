import type { Latencies, TimedRound } from "../calls.ts";
import type { Ends } from "../stage.ts";
import { stopStreams } from "./streams.ts";
import type { System } from "../systems/system.ts";
import type { Figures, Metric, Scenario, Target } from "./scenario.ts";

const messageBytes = 64;
const metrics: readonly Metric[] = [
  { figure: "p50Us", title: "p50", unit: "µs" },
  { figure: "p99Us", title: "p99", unit: "µs" },
];

/** One message there and back, over and over; the next leaves when the last is back. */
export function roundTrip(systems: readonly System[], targets: readonly Target[] = []): Scenario {
  return latency("round-trip", "64 B round trip, idle", systems, targets, (ends, round) =>
    ends.sender.call("timeRoundTrips", round),
  );
}

/** The same beside a stream of 64 KiB messages between the same two clients. */
export function roundTripUnderLoad(systems: readonly System[]): Scenario {
  return latency("round-trip-under-load", "64 B round trip, beside a stream", systems, [], async (ends, round) => {
    await ends.sender.call("startStreams", { messageBytes: 65_536 });
    const latencies = await ends.sender.call("timeRoundTrips", round);
    await stopStreams(ends, 1);
    return latencies;
  });
}

/** A Connection opened with a first message of 64 B, until the first byte of the answer. */
export function openToFirstByte(systems: readonly System[], targets: readonly Target[] = []): Scenario {
  return latency("open-to-first-byte", "open to first byte of the answer", systems, targets, (ends, round) =>
    ends.sender.call("timeOpens", round),
  );
}

function latency(
  name: string,
  title: string,
  systems: readonly System[],
  targets: readonly Target[],
  time: (ends: Ends, round: TimedRound) => Promise<Latencies>,
): Scenario {
  return {
    name,
    title,
    metrics,
    targets,
    contenders: systems.map((system) => ({
      name: system.name,
      title: system.title,
      start: async (stage) => {
        const ends = await stage.ends(system);
        return async (times): Promise<Figures> => ({ ...(await time(ends, { ...times, messageBytes })) });
      },
    })),
  };
}
