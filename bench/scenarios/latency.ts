import type { Latencies, TimedRound } from "../processes/ends-process.ts";
import type { Ends } from "../stage.ts";
import type { System } from "../systems/system.ts";
import { stopStreams } from "./one-way.ts";
import type { Scenario } from "./scenario.ts";

const messageBytes = 64;

type Time = (ends: Ends, round: TimedRound) => Promise<Latencies>;
type Options = Partial<Pick<Scenario, "targets" | "rounds" | "settleMs">>;

/** One message there and back after the other. */
export function roundTrip(systems: readonly System[], options: Options): Scenario {
  const time: Time = ({ sender }, round) => sender.call("timeRoundTrips", round);
  return latency("round-trip", "64 B round trip, idle", systems, time, options);
}

/** The same beside a stream of 64 KiB messages between the same two clients. */
export function roundTripUnderLoad(systems: readonly System[]): Scenario {
  return latency("round-trip-under-load", "64 B round trip beside a stream", systems, async (ends, round) => {
    await ends.sender.call("startStreams", { messageBytes: 65_536 });
    const latencies = await ends.sender.call("timeRoundTrips", round);
    await stopStreams(ends, 1);
    return latencies;
  });
}

/** A Connection opened with a first message of 64 B, until the first byte of the answer. */
export function openToFirstByte(systems: readonly System[], options: Options): Scenario {
  const time: Time = ({ sender }, round) => sender.call("timeOpens", round);
  return latency("open-to-first-byte", "open to first byte of the answer", systems, time, options);
}

function latency(name: string, title: string, systems: readonly System[], time: Time, options: Options = {}): Scenario {
  return {
    name,
    title,
    targets: [],
    ...options,
    metrics: [
      { figure: "p50Us", title: "p50", unit: "µs" },
      { figure: "p99Us", title: "p99", unit: "µs" },
    ],
    contenders: systems.map((system) => ({
      name: system.name,
      title: system.title,
      start: async (stage) => {
        const ends = await stage.ends(system);
        return async (times) => ({ ...(await time(ends, { ...times, messageBytes })) });
      },
    })),
  };
}
