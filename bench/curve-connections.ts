import { limits } from "@messagepasser/protocol";
import { addClient } from "../scripts/admin-client.ts";
import { startRouter } from "../scripts/router.ts";
import type { Route } from "./clients/calls.ts";
import { Clients } from "./clients/clients.ts";
import { rates } from "./clients/traffic.ts";
import { curveOf, curveRounds, curveTimes, messageBytes, mostUnderWay, type Point } from "./curve-points.ts";
import type { Curve } from "./curve-report.ts";
import type { Progress } from "./run.ts";
import { spreadOf } from "./statistics.ts";

const counts = [1, 10, 100, 1_000, 10_000, 100_000];

/** How fast messages go on all open Connections together, each of which sends in its turn. */
export async function connectionsCurve(progress: Progress): Promise<Curve> {
  const points: Point[] = [];
  for (const count of counts) {
    progress.now(`the curve of Connections: ${count}`);
    points.push({ count, messagesPerSecond: spreadOf(await ratesOver(count)) });
  }
  return curveOf({ name: "connections", title: "64 B on many Connections, in turn", axis: "open Connections" }, points);
}

/** Two clients may have so many Connections, so what is more takes more pairs; two processes in any case. */
async function ratesOver(count: number): Promise<number[]> {
  await using router = await startRouter();
  await using from = new Clients(router.url, "process of all senders");
  await using to = new Clients(router.url, "process of all receivers");
  const routeOf = (pair: number): Route => ({ from: `sender-${pair}`, to: `receiver-${pair}` });
  const pairs = Math.ceil(count / limits.maxConnectionsPerPeer);
  // One pair more has the quota's Connection.
  for (let pair = 0; pair <= pairs; pair++) {
    const { from: sender, to: receiver } = routeOf(pair);
    await from.connect([{ name: sender, secret: await addClient(router, sender) }]);
    await to.connect([{ name: receiver, secret: await addClient(router, receiver) }]);
  }
  const routes = Array.from({ length: count }, (_, at) => routeOf(1 + (at % pairs)));
  const quota = { messages: mostUnderWay, route: routeOf(0) };
  return await rates(from, [to], { routes, messageBytes, quota }, curveTimes, curveRounds);
}
