import type { Latencies } from "../calls.ts";
import type { Figures, Metric, Scenario, Target } from "./scenario.ts";

const messageBytes = 64;

/** One message there and back, over and over; the next leaves when the last is back. */
export function roundTrip(target: Target): Scenario {
  return latency("round-trip-64", "64 B round trip", "timeRoundTrips", target);
}

/** A Connection opened with a first message of 64 B, until the first byte of the answer; on the relay a bare round trip. */
export function openToFirstByte(): Scenario {
  return latency("open-to-first-byte", "open to first byte", "timeOpens");
}

function latency(name: string, title: string, call: "timeRoundTrips" | "timeOpens", target?: Target): Scenario {
  const metrics: Metric[] = [
    { figure: "p50Us", title: `${title}, p50`, unit: "µs", ...(target && { target }) },
    { figure: "p99Us", title: `${title}, p99`, unit: "µs" },
  ];
  const measure: Scenario["router"] = async ({ sender }, times) =>
    figuresOf(await sender.call(call, { ...times, messageBytes }));
  return { name, metrics, router: measure, relay: measure };
}

function figuresOf({ count, p50Us, p99Us }: Latencies): Figures {
  return { count, p50Us, p99Us };
}
