// What a run measures, and the targets of each scenario.
import type { Plan } from "./run.ts";
import { connects } from "./scenarios/connects.ts";
import { idleMemory } from "./scenarios/idle-memory.ts";
import { openToFirstByte, roundTrip, roundTripUnderLoad } from "./scenarios/latency.ts";
import { oneWay } from "./scenarios/one-way.ts";
import { restart } from "./scenarios/restart.ts";
import type { Target } from "./scenarios/scenario.ts";
import { stuckReceiver } from "./scenarios/stuck-receiver.ts";
import { wake } from "./scenarios/wake.ts";
import { libp2p } from "./systems/libp2p.ts";
import { nats, natsPublish } from "./systems/nats.ts";
import { original } from "./systems/original.ts";
import { partyserver } from "./systems/partyserver.ts";
import { batchRelay, relay } from "./systems/relay.ts";
import { router, routerBetween } from "./systems/router.ts";
import { socketIo } from "./systems/socket-io.ts";
import type { System } from "./systems/system.ts";
import { wsRelay } from "./systems/ws-relay.ts";

const everybody: readonly System[] = [
  router,
  batchRelay,
  relay,
  wsRelay,
  nats,
  socketIo,
  partyserver,
  libp2p,
  original,
];

const sizes: readonly (readonly [messageBytes: number, title: string])[] = [
  [16, "16 B"],
  [64, "64 B"],
  [1_024, "1 KiB"],
  [16_384, "16 KiB"],
  [65_536, "64 KiB"],
  [1_048_576, "1 MiB"],
];

/** Of messages per second, by size. With messages of one size that ratio is the one of bytes per second, too. */
const throughput: Readonly<Record<number, readonly Target[]>> = {
  64: [
    { figure: "messagesPerSecond", against: "nats", atLeast: 3 },
    { figure: "messagesPerSecond", against: "original", atLeast: 5 },
    { figure: "messagesPerSecond", against: "socket-io", atLeast: 20 },
    { figure: "messagesPerSecond", against: "partyserver", atLeast: 20 },
    { figure: "messagesPerSecond", against: "libp2p", atLeast: 20 },
  ],
  1_024: [{ figure: "messagesPerSecond", against: "nats", atLeast: 1.3 }],
  65_536: [
    { figure: "messagesPerSecond", against: "nats", atLeast: 1.3 },
    { figure: "messagesPerSecond", against: "batch-relay", atLeast: 0.85 },
  ],
};

const oneWayAtAllSizes = sizes.map(([messageBytes, title]) =>
  oneWay({
    name: `one-way-${messageBytes}`,
    title: `${title} one way`,
    systems: everybody,
    messageBytes,
    targets: throughput[messageBytes] ?? [],
  }),
);

/** Of `everybody`, who can have a hundred senders, all to one receiver as well. */
const crowds = everybody.filter(({ name }) => ["router", "nats", "socket-io"].includes(name));

const withManyClients = [
  oneWay({
    name: "pairs-100",
    title: "64 B one way, a hundred pairs",
    systems: crowds,
    messageBytes: 64,
    cast: { senders: 100, receivers: 100 },
  }),
  oneWay({
    name: "fan-in-100",
    title: "64 B one way, a hundred to one",
    systems: crowds,
    messageBytes: 64,
    cast: { senders: 100, receivers: 1 },
  }),
  stuckReceiver,
  connects,
  restart,
  idleMemory,
  wake,
];

const everybodyAnswers = everybody.flatMap((system) => (system === nats ? [nats, natsPublish] : [system]));

const idleRoundTrip = roundTrip(everybodyAnswers, [
  { figure: "p50Us", against: "relay", atMost: 1.15 },
  { figure: "p50Us", against: "nats", atMost: 0.8 },
]);
const opening = openToFirstByte(everybody, [{ figure: "p50Us", against: "libp2p", atMost: 0.2 }]);

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

/** What has a target, in under two minutes: ours, and those that it is promised of. What takes minutes by itself isn't there. */
export const quickPlan: Plan = {
  name: "quick",
  scenarios: [...oneWayAtAllSizes, idleRoundTrip, opening]
    .filter(({ targets }) => targets.length > 0)
    .map((scenario) => ({
      ...scenario,
      contenders: scenario.contenders.filter(
        ({ name }, at) => at === 0 || scenario.targets.some(({ against }) => against === name),
      ),
    })),
  settleMs: 2_500,
  rounds: 5,
  times: { warmUpMs: 150, durationMs: 300 },
};

export const formatsPlan: Plan = {
  name: "formats",
  scenarios: [betweenFormats],
  settleMs: 2_500,
  rounds: 7,
  times: { warmUpMs: 150, durationMs: 600 },
};

export const fullPlan: Plan = {
  name: "full",
  scenarios: [
    // On a machine that shares its cache, a round may have half of the speed of the next.
    ...oneWayAtAllSizes.map((scenario) => (scenario.targets.length > 0 ? { ...scenario, rounds: 15 } : scenario)),
    // V8 counts calls, and a round trip has few in a second: all is machine code after some 15,000. Its figures are far
    // apart from round to round where cores sleep between two messages.
    { ...idleRoundTrip, settleMs: 10_000, rounds: 25 },
    roundTripUnderLoad(everybodyAnswers),
    opening,
    betweenFormats,
    ...withManyClients,
  ],
  settleMs: 4_000,
  rounds: 5,
  times: { warmUpMs: 250, durationMs: 700 },
};
