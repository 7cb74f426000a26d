import { routerLimits } from "@messagepasser/protocol";
import {
  type Billed,
  idleBeforeSleepS,
  messagesPerRequest,
  objectGigabytes,
  prices,
  requestsPerCall,
  type Trunk,
} from "./prices.ts";

/** What a realm does in a month. */
export interface Workload {
  readonly clients: number;
  /** By all clients together. */
  readonly messages: number;
  readonly sizeBytes: number;
  /** Messages that one client sends in a row; before and after them the realm is silent. */
  readonly burst: number;
  /** How long each client is connected, all at the same time. */
  readonly hoursConnected: number;
  /** How often each client connects. */
  readonly connects: number;
  /** How fast a client's line carries a burst, in megabits per second. */
  readonly lineMbit: number;
  /** Objects over which the realm is spread. */
  readonly shards: number;
  /** The part of all bursts that go from one shard to another, from 0 to 1. */
  readonly crossing: number;
  readonly trunk: Trunk;
}

/** What the router's own counters said of traffic with messages of one size. */
export interface Measured {
  readonly sizeBytes: number;
  /** Sent in a stream. */
  readonly messages: number;
  /** WebSocket messages that they became, with all that both clients' programs send beside them. */
  readonly messagesIn: number;
  readonly bytesIn: number;
  readonly elapsedMs: number;
  /** WebSocket messages for one message that is sent alone: itself and its acknowledgement. */
  readonly messagesInAlone: number;
}

export interface Line {
  readonly billed: Billed;
  readonly what: string;
  readonly quantity: number;
  readonly usd: number;
  /** Whether there would be none of it without messages. */
  readonly isOfMessages: boolean;
}

export interface Bill {
  readonly lines: readonly Line[];
  /** At list prices, as if nothing was included. */
  readonly usd: number;
  /** The part of it that messages cause. */
  readonly messagesUsd: number;
  /** What is left to pay beside the plan, if the account runs nothing else. */
  readonly beyondPlanUsd: number;
}

/** A month of 30 days. */
export const hoursPerMonth = 720;

/** A client sends a heartbeat so often where nothing else is heard: see client/src/link/link.ts. */
const heartbeatS = 25;

/** What was received is acknowledged so late at most: see client/src/connection/upkeep.ts. */
const acknowledgeS = 1;

/** Whether time in which the object only waits to leave memory is billed: Cloudflare says no, the model says yes. */
export type IdleTime = "billed" | "free";

/**
 * Rows for a client that connects and disconnects: when its secret was last used, what was counted, and a block of addresses,
 * since each may find the object asleep.
 */
const rowsPerConnect = 3;

/** Counted sums of so many messages are one row: see src/realm/usage-keeper.ts, which also stores those that a client's link keeps for an hour. */
const messagesPerRow = 1_024;

/** What the router of this project costs. */
export function billOf(workload: Workload, measured: Measured, idleTime: IdleTime = "billed"): Bill {
  const { clients, messages, hoursConnected, shards } = workload;
  const burst = Math.min(workload.burst, messages);
  const bursts = Math.ceil(messages / workload.burst);
  const crossing = shards === 1 ? 0 : workload.crossing;
  const messagesIn = bursts * messagesInOf(burst, measured);
  /** Of all objects together. */
  const spanS = hoursConnected * 3_600 * shards;
  const idleS = idleTime === "billed" ? idleBeforeSleepS : 0;
  const waitS = idleTime === "billed" ? acknowledgeS + idleBeforeSleepS : 0;
  const burstS = transferS(burst, workload, measured);
  // A burst that crosses keeps the objects of both clients in memory.
  const awakeForEach = 1 + crossing;
  const messagesS = Math.min(spanS, bursts * (burstS + waitS) * awakeForEach);
  const connects = clients * workload.connects;
  // A client that comes and one that goes each wake the object.
  const connectsS = Math.min(spanS - messagesS, connects * 2 * idleS);
  // Clients that have talked across shards stay paired until one of them leaves.
  const checks = crossing === 0 || messages === 0 ? 0 : spanS / (routerLimits.checkShardsEveryMs / 1_000);
  const checksS = Math.min(spanS - messagesS - connectsS, checks * idleS);
  // While the object is awake one link keeps all sums, otherwise one of each burst.
  const isAlwaysAwake = bursts * (burstS + acknowledgeS + idleBeforeSleepS) * awakeForEach >= spanS;
  const hourlyRows = Math.min(bursts, clients * hoursConnected, isAlwaysAwake ? hoursConnected * shards : Infinity);
  return summed([
    ...comings(clients, connects, hoursConnected),
    line("objectRequest", "messages in, 20 are one", messagesIn / messagesPerRequest, true),
    ...crossings({ calls: 0, sockets: 0, [workload.trunk]: messagesIn * crossing }),
    ...(checks > 0 ? [line("objectRequest", "checks between shards", checks * shards, true)] : []),
    line("gigabyteSecond", "connects and disconnects", connectsS * objectGigabytes),
    line("gigabyteSecond", "messages", messagesS * objectGigabytes, true),
    ...(checks > 0 ? [line("gigabyteSecond", "checks between shards", checksS * objectGigabytes, true)] : []),
    line("gigabyteSecond", "clients that are idle", 0),
    line("rowWritten", "connects and disconnects", connects * rowsPerConnect),
    line("rowWritten", "usage counts", messagesIn / messagesPerRow + hourlyRows, true),
  ]);
}

/** What objects of a realm have done in a month, as it was counted. */
export interface Traffic {
  /** Those that are connected all the time. */
  readonly clients: number;
  readonly connects: number;
  readonly messagesIn: number;
  /** That other shards have made, by how they did. */
  readonly calls: Readonly<Record<Trunk, number>>;
  /** Seconds in memory, of all these objects together. */
  readonly awakeS: number;
}

/** What counted traffic costs. */
export function billOfTraffic({ clients, connects, messagesIn, calls, awakeS }: Traffic): Bill {
  return summed([
    ...comings(clients, connects, hoursPerMonth),
    line("objectRequest", "messages in, 20 are one", messagesIn / messagesPerRequest, true),
    ...crossings(calls),
    line("gigabyteSecond", "objects in memory", awakeS * objectGigabytes),
    line("rowWritten", "connects and disconnects", connects * rowsPerConnect),
    line("rowWritten", "usage counts", messagesIn / messagesPerRow, true),
  ]);
}

/**
 * What a naive router costs on the same platform: each message is a WebSocket message, nothing is acknowledged, nothing is
 * stored, and its object stays in memory for as long as a client is connected. Of several objects none talks to another.
 */
export function naiveBillOf({ clients, messages, hoursConnected, connects, shards }: Workload): Bill {
  const activeS = clients === 0 ? 0 : hoursConnected * 3_600 * shards;
  return summed([
    ...comings(clients, clients * connects, hoursConnected),
    line("objectRequest", "messages in, 20 are one", messages / messagesPerRequest, true),
    line("gigabyteSecond", "clients that are idle", activeS * objectGigabytes),
  ]);
}

/** That clients come, and stay: the same for both. @param connects of all clients together */
function comings(clients: number, connects: number, hoursConnected: number): Line[] {
  const heartbeats = (clients * hoursConnected * 3_600) / heartbeatS;
  return [
    line("workerRequest", "connects", connects),
    line("objectRequest", "connects", connects),
    // The runtime answers them, without an event and without duration. Whether they count as messages Cloudflare doesn't say.
    line("objectRequest", "heartbeats, if they are billed", heartbeats / messagesPerRequest),
    line("kvRead", "connects", connects),
  ];
}

/** Calls from one shard to another, by how they are made. */
function crossings({ calls, sockets }: Readonly<Record<Trunk, number>>): Line[] {
  const requests = calls * requestsPerCall.calls + sockets * requestsPerCall.sockets;
  return requests === 0 ? [] : [line("objectRequest", "calls between shards", requests, true)];
}

/** WebSocket messages of one burst: never less than of a single message. */
function messagesInOf(burst: number, measured: Measured): number {
  if (burst <= 1) return measured.messagesInAlone;
  return measured.messagesInAlone + Math.ceil((burst * measured.messagesIn) / measured.messages);
}

/** How long one burst is on its way: as long as it takes the client's line, or the router where that was slower. */
function transferS(burst: number, { lineMbit }: Workload, { messages, bytesIn, elapsedMs }: Measured): number {
  const lineS = (burst * (bytesIn / messages) * 8) / (lineMbit * 1_000_000);
  return Math.max(lineS, (burst * elapsedMs) / messages / 1_000);
}

function line(billed: Billed, what: string, quantity: number, isOfMessages = false): Line {
  return { billed, what, quantity, usd: (quantity * prices[billed].usdPerMillion) / 1_000_000, isOfMessages };
}

function summed(lines: readonly Line[]): Bill {
  const usdOf = (some: readonly Line[]): number => some.reduce((sum, { usd }) => sum + usd, 0);
  const beyondPlanUsd = Object.entries(prices).reduce((sum, [billed, { usdPerMillion, included }]) => {
    const quantity = lines.reduce((all, each) => all + (each.billed === billed ? each.quantity : 0), 0);
    return sum + (Math.max(0, quantity - included) * usdPerMillion) / 1_000_000;
  }, 0);
  return {
    lines,
    usd: usdOf(lines),
    messagesUsd: usdOf(lines.filter(({ isOfMessages }) => isOfMessages)),
    beyondPlanUsd,
  };
}
