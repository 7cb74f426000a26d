import { maxEventsPerSecond, maxMemoryBytes, maxSockets } from "./limits.ts";
import type { ShardFigures, Simulated } from "./simulation.ts";

/** How a figure is spread over the shards. */
export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
  readonly sum: number;
  /** What one object may have; absent where there is no limit. */
  readonly limit?: number;
  /** The part of the limit that the busiest shard leaves, from 0 to 1; below 0 where it is past the limit. */
  readonly left?: number;
}

type Figure = keyof ShardFigures;

export interface Report extends Omit<Simulated, "shards"> {
  readonly shards: Readonly<Record<Figure, Spread>>;
}

const limits: Partial<Record<Figure, number>> = {
  sockets: maxSockets,
  eventsPerSecond: maxEventsPerSecond,
  memoryBytes: maxMemoryBytes,
};

const rows: readonly (readonly [what: string, figure: Figure, unit?: number, digits?: number])[] = [
  ["sockets", "sockets"],
  ["links in memory", "linksInMemory"],
  ["memory, MiB", "memoryBytes", 1_048_576, 1],
  ["connects/s", "connectsPerSecond", 1, 2],
  ["WebSocket messages in/s", "messagesInPerSecond", 1, 1],
  ["calls made/s", "callsMadePerSecond", 1, 1],
  ["calls taken/s", "callsTakenPerSecond", 1, 1],
  ["events/s, all of these", "eventsPerSecond", 1, 1],
  ["awake, %", "awake", 0.01],
  ["USD a month", "usd", 1, 2],
  ["if all calls went by RPC", "usdByRpc", 1, 2],
];

export function reportOf(simulated: Simulated): Report {
  const spreads = rows.map(([, figure]) => [figure, spreadOf(simulated, figure)] as const);
  // `rows` has each figure once, as a test shows.
  return { ...simulated, shards: Object.fromEntries(spreads) as Record<Figure, Spread> };
}

function spreadOf({ shards }: Simulated, figure: Figure): Spread {
  const sorted = shards.map((shard) => shard[figure]).sort((one, other) => one - other);
  const max = sorted.at(-1) ?? 0;
  const limit = limits[figure];
  return {
    min: sorted[0] ?? 0,
    median: sorted[Math.floor(sorted.length / 2)] ?? 0,
    max,
    sum: sorted.reduce((sum, each) => sum + each, 0),
    ...(limit !== undefined && { limit, left: 1 - max / limit }),
  };
}

/** A report for people. */
export function textOf({ scenario, shards, comeback, ...report }: Report): string {
  const { clients, shards: count, chatty, asksPerSecond, afar, seconds } = scenario;
  const talkers = Math.round(clients * chatty);
  return [
    `${whole(clients)} clients over ${count} shards. ${whole(talkers)} of them ask ${asksPerSecond} times a second, ` +
      `${Math.round(100 * afar)} % of these anybody;`,
    `their peers answer. Each client connects ${scenario.connects} times a month. ${seconds} s were counted.`,
    "",
    cells("of a shard", ["least", "median", "most", "limit", "left"]),
    ...rows.map(([what, figure, unit = 1, digits = 0]) => {
      const { min, median, max, limit, left } = shards[figure];
      const numbers = [min, median, max, limit].map((each) =>
        each === undefined ? "" : fixed(each / unit, limit === each ? 0 : digits),
      );
      return cells(what, [...numbers, left === undefined ? "" : `${Math.floor(100 * left)} %`]);
    }),
    "",
    `All shards: ${whole(shards.callsTakenPerSecond.sum)} calls/s over ${whole(count * (count - 1))} trunks, each with ` +
      `${fixed(report.itemsPerCall, 2)} items and ${whole(report.bytesPerCall)} B.`,
    `${Math.round(100 * report.bySocket)} % of them go over WebSockets. A month costs ${whole(shards.usd.sum)} USD at list prices, ` +
      `and would cost ${whole(shards.usdByRpc.sum)} USD by RPC alone.`,
    `Routing takes ${whole(report.bytesPerLink)} B for each link that an object has looked up since it woke, and none for the others.`,
    `${whole(report.answersPerSecond)} answers/s came, ${whole(report.refusals)} opens and resumes found a peer away, ` +
      `and the router closed ${whole(report.closed)} links.`,
    `After a reset of the fullest object half of its clients are back in ${fixed(comeback.halfMs / 1_000, 1)} s and all in ` +
      `${fixed(comeback.lastMs / 1_000, 1)} s, with ${fixed(comeback.attemptsPerClient, 2)} attempts each.`,
    "docs/scale.md explains the figures, and says what is assumed.",
    "",
  ].join("\n");
}

function cells(title: string, texts: readonly string[]): string {
  return `${title.padEnd(28)}${texts.map((text) => text.padStart(11)).join("")}`.trimEnd();
}

function whole(number: number): string {
  return fixed(number, 0);
}

function fixed(number: number, digits: number): string {
  return number.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
