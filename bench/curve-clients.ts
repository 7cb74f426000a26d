import { startRouter } from "../scripts/router.ts";
import { Clients } from "./clients/clients.ts";
import { rates, type Traffic } from "./clients/traffic.ts";
import { curveOf, curveRounds, curveTimes, messageBytes, mostUnderWay, type Point } from "./curve-points.ts";
import type { Curve } from "./curve-report.ts";
import { Links, linksPossible } from "./links/links.ts";
import { Population } from "./population.ts";
import type { Progress } from "./run.ts";
import { spreadOf } from "./statistics.ts";

const counts = [2, 10, 100, 1_000, linksPossible(10_000)];

/** How fast messages go between all clients together: all of them busy, in pairs; and one pair busy while the rest is there. */
export async function clientCurves(progress: Progress): Promise<Curve[]> {
  progress.now("the curve of clients: making accounts");
  await using population = await Population.make(Math.max(...counts));
  return [await busyCurve(population, progress), await idleCurve(population, progress)];
}

/** All senders are one process and all receivers another, so that only their number changes. */
async function busyCurve(population: Population, progress: Progress): Promise<Curve> {
  await using router = await startRouter({ stateDirectory: await population.copy() });
  await using from = new Clients(router.url, "process of all senders");
  await using to = new Clients(router.url, "process of all receivers");
  const points: Point[] = [];
  for (const count of counts) {
    progress.now(`the curve of clients: ${count} that are busy`);
    const more = population.accounts.slice(from.names.length * 2, count);
    await from.connect(more.filter((_, at) => at % 2 === 0));
    await to.connect(more.filter((_, at) => at % 2 === 1));
    const perSecond = await rates(from, [to], pairs(from, to), curveTimes, curveRounds);
    points.push({ count, messagesPerSecond: spreadOf(perSecond) });
  }
  return curveOf(
    { name: "clients", title: "64 B between clients, all of them busy in pairs", axis: "clients" },
    points,
  );
}

async function idleCurve(population: Population, progress: Progress): Promise<Curve> {
  await using router = await startRouter({ stateDirectory: await population.copy() });
  await using idle = new Links(router.url);
  await using from = new Clients(router.url, "process of the sender");
  await using to = new Clients(router.url, "process of the receiver");
  await from.connect(population.accounts.slice(0, 1));
  await to.connect(population.accounts.slice(1, 2));
  const points: Point[] = [];
  let there = 2;
  for (const count of counts) {
    progress.now(`the curve of clients: ${count}, of which two are busy`);
    await idle.open(population.accounts.slice(there, count));
    there = count;
    const perSecond = await rates(from, [to], pairs(from, to), curveTimes, curveRounds);
    await idle.check();
    points.push({ count, messagesPerSecond: spreadOf(perSecond) });
  }
  return curveOf(
    { name: "idle-clients", title: "64 B between two clients, while the others are idle", axis: "clients" },
    points,
  );
}

/** Each client of one process sends to one of the other. */
function pairs(from: Clients, to: Clients): Traffic {
  const routes = from.names.map((name, at) => ({ from: name, to: to.names[at] ?? "" }));
  const [route = { from: "", to: "" }] = routes;
  return { routes, messageBytes, quota: { messages: mostUnderWay, route } };
}
