import type { Report, Result, ScenarioReport } from "../../bench/report/report.ts";
import type { Metric, Target } from "../../bench/scenarios/scenario.ts";

const messages: Metric = { figure: "messagesPerSecond", title: "messages", unit: "/s" };
const payload: Metric = { figure: "megabytesPerSecond", title: "payload", unit: "MB/s" };
const serverCost: Metric = { figure: "serverCpuPerGibibyte", title: "server's time for a GiB", unit: "s" };
const p50: Metric = { figure: "p50Us", title: "p50", unit: "µs" };
const p99: Metric = { figure: "p99Us", title: "p99", unit: "µs" };

const ours = { contender: "router", contenderTitle: "MessagePasser" };
const relay = { contender: "relay", contenderTitle: "opaque relay" };
const chatty = { contender: "chatty", contenderTitle: "chatty & slow" };

/** Made up: a scenario of throughput with a contender that is far behind, and one of latency that misses its target. */
export const exampleReport: Report = {
  date: "2031-02-03T04:05:06.000Z",
  plan: { name: "full", settleMs: 1_000, rounds: 5, warmUpMs: 100, durationMs: 400 },
  machine: { processor: "Abacus 9000", cores: 2, memoryBytes: 4_294_967_296, system: "linux x64", node: "v24.0.0" },
  versions: { router: "messagepasser 0.1.0", relay: "a bare Durable Object" },
  scenarios: [
    {
      name: "one-way-64",
      title: "64 B one way",
      results: [
        result(messages, ours, 2_345_678),
        result(messages, relay, 4_000_000, 0.586),
        result(messages, chatty, 50_000, 46.9, { figure: "messagesPerSecond", against: "chatty", atLeast: 20 }),
        result(payload, ours, 150),
        result(payload, relay, 256, 0.586),
        result(payload, chatty, 3.2, 46.9),
        result(serverCost, ours, 3.125),
        result(serverCost, relay, 1.5, 2.08),
        result(serverCost, chatty, 99.5, 0.0314),
      ],
      absent: [],
      rounds: { router: [{ messagesPerSecond: 2 }, { messagesPerSecond: 3 }] },
    },
    {
      name: "round-trip",
      title: "64 B round trip, idle",
      results: [
        result(p50, ours, 96),
        result(p50, relay, 80, 1.2, { figure: "p50Us", against: "relay", atMost: 1.15 }),
        result(p99, ours, 310),
        result(p99, relay, 240, 1.29),
      ],
      absent: [],
      rounds: {},
    },
  ],
};

/** A curve, of which the report above has none. */
export const exampleCurve: ScenarioReport = {
  name: "curve-idle-links",
  title: "64 B one way, beside idle links",
  axis: "idle links",
  results: [point(10, 2_500_000, 2_300_000, 2_600_000), point(1_000, 2_400_000, 2_100_000, 2_450_000)],
  absent: [],
  rounds: {},
};

function point(count: number, median: number, min: number, max: number): Result {
  const contender = { contender: String(count), contenderTitle: count.toLocaleString("en") };
  return { ...messages, ...contender, value: { median, min, max } };
}

/** Rounds that lie a tenth around the median. */
function result(metric: Metric, who: typeof ours, median: number, ratio?: number, target?: Target): Result {
  const around = (value: number) => ({ median: value, min: value * 0.9, max: value * 1.1 });
  return {
    ...metric,
    ...who,
    value: around(median),
    ...(ratio !== undefined && { ratio: around(ratio) }),
    ...(target !== undefined && { target: { ...target, isMet: ratio !== undefined && isMet(target, ratio) } }),
  };
}

function isMet(target: Target, ratio: number): boolean {
  return "atLeast" in target ? ratio >= target.atLeast : ratio <= target.atMost;
}
