// What a run measures, and the targets of each scenario.
import type { Plan } from "./run.ts";
import { connects } from "./scenarios/connects.ts";
import { curves } from "./scenarios/curves.ts";
import { idleMemory } from "./scenarios/idle-memory.ts";
import { idleShards } from "./scenarios/idle-shards.ts";
import { openToFirstByte, roundTrip, roundTripUnderLoad } from "./scenarios/latency.ts";
import { oneWay, type OneWay } from "./scenarios/one-way.ts";
import { restart } from "./scenarios/restart.ts";
import type { Scenario, Target } from "./scenarios/scenario.ts";
import { busyPairs, chattyPairs } from "./scenarios/shards.ts";
import { stuckReceiver } from "./scenarios/stuck-receiver.ts";
import { wake } from "./scenarios/wake.ts";
import { nats, natsPublish } from "./systems/nats/system.ts";
import { router, routerBetween, routerOfShards } from "./systems/router/system.ts";
import { crowdSystems, systems } from "./systems/systems.ts";

/** A target of messages per second. With messages of one size, a ratio of messages is also one of bytes. */
const rate = (against: string, atLeast: number): Target => ({ figure: "messagesPerSecond", against, atLeast });

/** A target of the time that half of all round trips or opens take. */
const p50 = (against: string, atMost: number): Target => ({ figure: "p50Us", against, atMost });

/** Of one-way traffic. On a machine that shares its cache, a round may have half the speed of the next. */
const sizes: readonly (readonly [messageBytes: number, title: string, options?: Partial<OneWay>])[] = [
  // The first scenario of all compiles what most others run, too.
  [16, "16 B", { settleMs: 4_000 }],
  [
    64,
    "64 B",
    {
      rounds: 15,
      targets: [
        rate("nats", 3),
        rate("original", 5),
        rate("socket-io", 20),
        rate("partyserver", 20),
        rate("libp2p", 20),
      ],
    },
  ],
  [1_024, "1 KiB", { rounds: 15, targets: [rate("nats", 1.3)] }],
  [16_384, "16 KiB"],
  [65_536, "64 KiB", { rounds: 15, targets: [rate("nats", 1.3), rate("batch-relay", 0.85)] }],
  [1_048_576, "1 MiB"],
];

const oneWayAtAllSizes = sizes.map(([messageBytes, title, options]) =>
  oneWay({ name: `one-way-${messageBytes}`, title: `${title} one way`, systems, messageBytes, ...options }),
);

const roundTripSystems = systems.flatMap((system) => (system === nats ? [nats, natsPublish] : [system]));

const idleRoundTrip = roundTrip(roundTripSystems, {
  targets: [p50("relay", 1.15), p50("nats", 0.8)],
  // V8 counts calls, and all is compiled after some 15,000 round trips. Rounds differ much where cores sleep between
  // two messages.
  settleMs: 10_000,
  rounds: 25,
});

const opening = openToFirstByte(systems, { targets: [p50("libp2p", 0.2)], rounds: 5 });

const betweenFormats = oneWay({
  name: "formats",
  title: "64 B one way between formats",
  systems: [
    router,
    routerBetween("msgpack", "msgpack"),
    routerBetween("protobuf", "protobuf"),
    routerBetween("json", "json"),
    routerBetween("native", "msgpack"),
    routerBetween("native", "json"),
    routerBetween("json", "native"),
  ],
  messageBytes: 64,
});

const crowd = { systems: crowdSystems, messageBytes: 64 };

export const fullPlan: Plan = {
  name: "full",
  scenarios: [
    ...oneWayAtAllSizes,
    idleRoundTrip,
    roundTripUnderLoad(roundTripSystems),
    opening,
    betweenFormats,
    oneWay({ ...crowd, name: "pairs-100", title: "64 B, a hundred pairs", cast: { senders: 100, receivers: 100 } }),
    oneWay({ ...crowd, name: "fan-in-100", title: "64 B, a hundred to one", cast: { senders: 100, receivers: 1 } }),
    stuckReceiver,
    connects,
    restart,
    idleMemory,
    wake,
    idleShards,
    ...curves,
  ],
  settleMs: 2_000,
  rounds: 3,
  times: { warmUpMs: 250, durationMs: 700 },
};

/** Streams, round trips and opens that have a target: ours, and those that the targets are about. */
export const quickPlan: Plan = {
  name: "quick",
  scenarios: [...oneWayAtAllSizes, idleRoundTrip, opening]
    .filter(({ targets }) => targets.length > 0)
    .map(({ settleMs: _settleMs, rounds: _rounds, ...scenario }) => ({
      ...scenario,
      contenders: scenario.contenders.filter(
        ({ name }, at) => at === 0 || scenario.targets.some(({ against }) => against === name),
      ),
    })),
  settleMs: 2_500,
  rounds: 5,
  times: { warmUpMs: 150, durationMs: 300 },
};

const acrossShards = [routerOfShards(1), router, routerOfShards(0)];

const streamAcross = (messageBytes: number, title: string, mostCpu: number): Scenario =>
  oneWay({
    name: `one-way-${messageBytes}`,
    title: `${title} one way, over shards`,
    systems: acrossShards,
    messageBytes,
    targets: [{ figure: "serverCpuPerMillion", against: router.name, atMost: mostCpu }],
  });

/** A realm of several shards, against one of one shard. */
export const shardsPlan: Plan = {
  name: "shards",
  scenarios: [
    streamAcross(64, "64 B", 2.1),
    streamAcross(65_536, "64 KiB", 2.4),
    roundTrip(acrossShards, { settleMs: 10_000 }),
    openToFirstByte(acrossShards, {}),
    chattyPairs,
    ...busyPairs,
  ],
  settleMs: 4_000,
  rounds: 7,
  times: { warmUpMs: 300, durationMs: 1_500 },
};
