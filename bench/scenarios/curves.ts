// How fast messages travel as there is more of something.
import { limits } from "@messagepasser/protocol";
import { trustedAccounts } from "../processes/accounts.ts";
import type { Route } from "../processes/clients-process.ts";
import { Clients } from "../processes/clients.ts";
import { IdleLinks, mostLinks } from "../processes/links.ts";
import { startTraffic, type Traffic } from "../processes/traffic.ts";
import { startTrustingRouter } from "../processes/trusting-router.ts";
import type { Scenario } from "./scenario.ts";

const messageBytes = 64;
/**
 * Of all senders together. Receivers share a process, so each of thousands reads late, and the messages that their
 * windows would let them have unread are far more than a router keeps.
 */
const mostUnderWay = 131_072;
/** Messages to thousands of busy clients arrive in waves, half a second apart. */
const roundMs = 1_000;
/** Two clients may have only this many Connections with each other, and one is the quota's. */
const connectionsPerPair = limits.maxConnectionsPerPeer - 1;

/** What there is for a count. Connections are those of all pairs together. */
type Cast = Readonly<Record<"pairs" | "connections" | "idleClients", number>>;

const clientCounts = [2, 10, 100, 1_000].filter((count) => count < mostLinks).concat(mostLinks);

export const curves: readonly Scenario[] = [
  curve(
    { name: "curve-connections", title: "64 B on many Connections", axis: "open Connections" },
    [1, 10, 100, 1_000, 10_000, 100_000],
    (count) => ({ pairs: Math.ceil(count / connectionsPerPair), connections: count, idleClients: 0 }),
  ),
  curve(
    { name: "curve-clients", title: "64 B between busy clients, in pairs", axis: "clients" },
    clientCounts,
    (count) => ({
      pairs: Math.floor(count / 2),
      connections: Math.floor(count / 2),
      idleClients: 0,
    }),
  ),
  curve(
    { name: "curve-idle-clients", title: "64 B between two clients beside idle ones", axis: "clients" },
    clientCounts,
    (count) => ({ pairs: 1, connections: 1, idleClients: count - 2 }),
  ),
];

function curve(
  about: Pick<Scenario, "name" | "title" | "axis">,
  counts: readonly number[],
  castOf: (count: number) => Cast,
): Scenario {
  return {
    ...about,
    metrics: [{ figure: "messagesPerSecond", title: "messages", unit: "/s" }],
    targets: [],
    contenders: counts.map((count) => ({
      name: String(count),
      title: count.toLocaleString("en"),
      start: async (_stage, own) => {
        const traffic = await started(castOf(count), own);
        own.defer(() => traffic.stop());
        return async () => ({ messagesPerSecond: await traffic.perSecond(roundMs) });
      },
    })),
  };
}

async function started({ pairs, connections, idleClients }: Cast, own: AsyncDisposableStack): Promise<Traffic> {
  const { url } = own.use(await startTrustingRouter());
  const accounts = trustedAccounts(pairs * 2 + idleClients);
  const links = own.use(new IdleLinks());
  await links.open(url, accounts.slice(pairs * 2));
  own.defer(() => links.check());
  const from = own.use(new Clients(url, "process of all senders"));
  const to = own.use(new Clients(url, "process of all receivers"));
  await from.connect(accounts.slice(0, pairs));
  await to.connect(accounts.slice(pairs, pairs * 2));
  const routeOf = (at: number): Route => ({ from: from.names[at % pairs] ?? "", to: to.names[at % pairs] ?? "" });
  const routes = Array.from({ length: connections }, (_, at) => routeOf(at));
  const quota = { messages: mostUnderWay, route: routeOf(0) };
  return await startTraffic(from, [to], { routes, messageBytes, quota });
}
