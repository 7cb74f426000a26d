import { billOfTraffic, hoursPerMonth } from "../cost/model.ts";
import { Clients } from "./clients.ts";
import { SimulatedClock } from "./clock.ts";
import { type Comeback, comeback } from "./comeback.ts";
import type { Scenario } from "./scenario.ts";
import { type Counts, type Realm, SimulatedShard } from "./shard.ts";

/** Until all that begin to talk have their peers. */
const warmUpMs = 15_000;

/** What one shard has to bear. */
export interface ShardFigures {
  readonly sockets: number;
  /** Links of which the object has something in its memory. */
  readonly linksInMemory: number;
  readonly connectsPerSecond: number;
  /** WebSocket messages of clients. */
  readonly messagesInPerSecond: number;
  readonly callsMadePerSecond: number;
  readonly callsTakenPerSecond: number;
  /** Whatever wakes the object counts: messages of clients, calls of other shards, connects and disconnects. */
  readonly eventsPerSecond: number;
  /** What is in memory for links, and for what waits for other shards. */
  readonly memoryBytes: number;
  /** The part of the time for which the object was in memory, from 0 to 1. */
  readonly awake: number;
  /** A month of it at list prices, and if all calls went by RPC. */
  readonly usd: number;
  readonly usdByRpc: number;
}

export interface Simulated {
  readonly scenario: Scenario;
  readonly shards: readonly ShardFigures[];
  /** Of routing, for each link that it has looked up since the object woke: the link itself is the lightest there can be. */
  readonly bytesPerLink: number;
  readonly itemsPerCall: number;
  /** The part of all calls that goes over WebSockets, from 0 to 1. */
  readonly bySocket: number;
  readonly bytesPerCall: number;
  readonly answersPerSecond: number;
  /** Opens and resumes that were refused: peers that were away. */
  readonly refusals: number;
  /** Links that the router closed. */
  readonly closed: number;
  /** How the clients of the fullest shard come back after a reset. */
  readonly comeback: Comeback;
}

/**
 * Lets all clients of a realm connect and a few of them talk, through the code that routes in a deployed realm.
 *
 * @param heapBytes how much memory is in use, without garbage
 */
export function simulate(scenario: Scenario, heapBytes: () => number): Simulated {
  const clock = new SimulatedClock();
  const shards: SimulatedShard[] = [];
  const clients = new Clients(clock, shards, scenario);
  const realm: Realm = {
    clock,
    shards,
    hear: (link, message) => {
      clients.hear(link, message);
    },
  };
  for (let number = 0; number < scenario.shards; number++)
    shards.push(new SimulatedShard(realm, number, scenario.shards));
  const emptyBytes = heapBytes();
  clients.connect();
  const bytesPerLink = (heapBytes() - emptyBytes) / scenario.clients;
  clients.comeAndGo();
  clients.talk(warmUpMs / 2);
  clock.runUntil(warmUpMs);
  for (const shard of shards) shard.beginCounting();
  const [answersBefore, refusalsBefore] = [clients.answers, clients.refusals];
  clock.runUntil(warmUpMs + 1_000 * scenario.seconds);
  const counts = shards.map((shard) => shard.endCounting());
  const sum = (figure: (counts: Counts) => number): number => counts.reduce((all, each) => all + figure(each), 0);
  const calls = Math.max(
    1,
    sum(({ callsTaken }) => callsTaken),
  );
  return {
    scenario,
    shards: shards.map(({ links, linksInMemory, counts: of }) =>
      figuresOf(of, scenario, { sockets: links.count, linksInMemory, bytesPerLink }),
    ),
    bytesPerLink,
    itemsPerCall: sum(({ itemsTaken }) => itemsTaken) / calls,
    bySocket: sum(({ callsBySocket }) => callsBySocket) / calls,
    bytesPerCall: sum(({ callBytes }) => callBytes) / calls,
    answersPerSecond: (clients.answers - answersBefore) / scenario.seconds,
    refusals: clients.refusals - refusalsBefore,
    closed: sum(({ closed }) => closed),
    comeback: comeback(Math.max(...shards.map(({ links }) => links.count))),
  };
}

function figuresOf(
  counts: Counts,
  { seconds }: Scenario,
  links: { readonly sockets: number; readonly linksInMemory: number; readonly bytesPerLink: number },
): ShardFigures {
  const { connects, disconnects, messagesIn, callsMade, callsTaken, callsBySocket, heldBytes, awakeMs } = counts;
  const awake = awakeMs / 1_000 / seconds;
  const monthS = hoursPerMonth * 3_600;
  const perMonth = monthS / seconds;
  const usdOf = (sockets: number): number =>
    billOfTraffic({
      clients: links.sockets,
      connects: connects * perMonth,
      messagesIn: messagesIn * perMonth,
      calls: { calls: (callsTaken - sockets) * perMonth, sockets: sockets * perMonth },
      awakeS: awake * monthS,
    }).usd;
  return {
    sockets: links.sockets,
    linksInMemory: links.linksInMemory,
    connectsPerSecond: connects / seconds,
    messagesInPerSecond: messagesIn / seconds,
    callsMadePerSecond: callsMade / seconds,
    callsTakenPerSecond: callsTaken / seconds,
    eventsPerSecond: (messagesIn + callsTaken + connects + disconnects) / seconds,
    memoryBytes: links.linksInMemory * links.bytesPerLink + heldBytes,
    awake,
    usd: usdOf(callsBySocket),
    usdByRpc: usdOf(0),
  };
}
