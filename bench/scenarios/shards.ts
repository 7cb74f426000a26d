// What a realm of several shards costs, and what each of its objects has to do.
import type { Pace, Route, SharedQuota } from "../processes/clients-process.ts";
import { Clients } from "../processes/clients.ts";
import { mostLinks } from "../processes/links.ts";
import { ShardedRouter } from "../processes/sharded-router.ts";
import { startTraffic } from "../processes/traffic.ts";
import type { RoundTimes } from "../systems/end.ts";
import type { Figures, Scenario } from "./scenario.ts";

const messageBytes = 64;
const shardCounts = [1, 2, 4, 8, 16];
/** Of all senders together, as in the curves. */
const mostUnderWay = 131_072;
const chatPerSecond = 2_000;

/** Where the two clients of a pair are. */
type Placement = "same" | "across";

/** Pairs that stream at once, over more and more shards. */
export const busyPairs: readonly Scenario[] = [100, 1_000, Math.min(5_000, Math.floor(mostLinks / 2))].map((pairs) =>
  overShards(
    { name: `pairs-${pairs}`, title: `64 B as fast as possible, ${pairs.toLocaleString("en")} pairs` },
    pairs,
    (route) => ({ messages: mostUnderWay, route }),
  ),
);

/** Pairs that send a message now and then: each WebSocket message of a client has one. */
export const chattyPairs: Scenario = overShards(
  { name: "chat", title: `64 B, ${chatPerSecond.toLocaleString("en")} a second in all, 1,000 pairs` },
  1_000,
  () => ({ perSecond: chatPerSecond }),
);

function overShards(
  about: Pick<Scenario, "name" | "title">,
  pairs: number,
  quotaFor: (route: Route) => SharedQuota | Pace,
): Scenario {
  return {
    ...about,
    axis: "shards",
    metrics: [
      { figure: "acrossCpuUs", title: "router's time for a message across", unit: "µs" },
      { figure: "sameCpuUs", title: "the same on one shard", unit: "µs" },
      { figure: "acrossMessages", title: "messages across", unit: "/s" },
      { figure: "sameMessages", title: "messages on one shard", unit: "/s" },
      { figure: "acrossEvents", title: "busiest object's WebSocket messages", unit: "/s" },
      { figure: "acrossCalls", title: "its calls", unit: "/s" },
      { figure: "acrossCallMessages", title: "its calls over WebSockets", unit: "/s" },
    ],
    targets: [],
    rounds: 3,
    contenders: shardCounts.map((count) => ({
      name: String(count),
      title: count.toLocaleString("en"),
      start: async (_stage, own) => {
        const router = own.use(await ShardedRouter.start(count));
        const from = own.use(new Clients(router.url, "process of all senders"));
        const to = own.use(new Clients(router.url, "process of all receivers"));
        // Each shard has as many senders as receivers.
        const numbers = Array.from({ length: pairs - (pairs % count) }, (_, at) => at);
        await from.connect(numbers.map((at) => router.accountOn(at % count, `sender-${at}`)));
        await to.connect(numbers.map((at) => router.accountOn(at % count, `receiver-${at}`)));
        const measure = async (placement: Placement, times: RoundTimes): Promise<Figures> => {
          const routes = numbers.map((at) => ({
            from: from.names[at] ?? "",
            to: to.names[placement === "same" ? at : peerAcross(at, count)] ?? "",
          }));
          const [first = { from: "", to: "" }] = routes;
          return await cost(router, { from, to, routes, quota: quotaFor(first), placement }, times);
        };
        return async (times) => ({
          ...(await measure("same", times)),
          // With one shard there is nothing to cross to.
          ...(await measure("across", times)),
        });
      },
    })),
  };
}

/** The receiver on another shard, of a sender: both are dealt to the shards in turn, and all pairs of shards have as many. */
function peerAcross(at: number, count: number): number {
  if (count === 1) return at;
  const turn = Math.floor(at / count);
  return turn * count + ((at + 1 + (turn % (count - 1))) % count);
}

interface Running {
  readonly from: Clients;
  readonly to: Clients;
  readonly routes: readonly Route[];
  readonly quota: SharedQuota | Pace;
  readonly placement: Placement;
}

async function cost(
  router: ShardedRouter,
  { from, to, routes, quota, placement }: Running,
  { warmUpMs, durationMs }: RoundTimes,
): Promise<Figures> {
  const traffic = await startTraffic(from, [to], { routes, messageBytes, quota });
  await traffic.perSecond(warmUpMs);
  const before = await router.costs();
  const startMs = performance.now();
  const perSecond = await traffic.perSecond(durationMs);
  const after = await router.costs();
  const seconds = (performance.now() - startMs) / 1_000;
  await traffic.stop();
  const most = (counter: "messagesIn" | "calls" | "callMessages"): number =>
    Math.max(...after.usages.map((usage, shard) => usage[counter] - (before.usages[shard] ?? usage)[counter])) /
    seconds;
  return {
    [`${placement}CpuUs`]: ((after.cpuMs - before.cpuMs) * 1_000) / (perSecond * seconds),
    [`${placement}Messages`]: perSecond,
    [`${placement}Events`]: most("messagesIn"),
    [`${placement}Calls`]: most("calls"),
    [`${placement}CallMessages`]: most("callMessages"),
  };
}
