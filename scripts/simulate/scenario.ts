import { hoursPerMonth, type Workload } from "../cost/model.ts";

/** What clients of a simulated realm do. */
export interface Scenario {
  readonly clients: number;
  readonly shards: number;
  /** The part of the clients that ask a peer now and then, from 0 to 1. All others are idle. */
  readonly chatty: number;
  /** How often each of these asks. The peer answers, and both acknowledge within a second. */
  readonly asksPerSecond: number;
  /** The part of them that ask anybody. The others ask a peer whose name begins as theirs, so that it has the same home. */
  readonly afar: number;
  /** How often each client connects in a month. */
  readonly connects: number;
  /** How long the traffic is counted. */
  readonly seconds: number;
}

/** Mostly idle clients, as devices and phones are. */
export const million: Scenario = {
  clients: 1_000_000,
  shards: 64,
  chatty: 0.01,
  asksPerSecond: 1,
  afar: 0.5,
  connects: 30,
  seconds: 30,
};

/** Bytes of each question and each answer. */
export const messageBytes = 64;

/** From a question to its answer: the ways of both between clients and router, and the peer's program. */
export const answerAfterMs = 50;

/** From a call to its answer. The objects of a realm are near each other, though not in one process. */
export const callMs = 5;

/** How long a client whose link was cut is away. */
export const awayMs = 1_000;

/** A month of it, as the cost model takes it. */
export function workloadOf(
  scenario: Scenario,
): Pick<Workload, "clients" | "messages" | "sizeBytes" | "burst" | "connects" | "shards" | "crossing"> {
  const { clients, shards, chatty, asksPerSecond, afar, connects } = scenario;
  return {
    clients,
    // A question and an answer.
    messages: 2 * Math.round(clients * chatty) * asksPerSecond * hoursPerMonth * 3_600,
    sizeBytes: messageBytes,
    burst: 1,
    connects,
    shards,
    crossing: afar * (1 - 1 / shards),
  };
}
