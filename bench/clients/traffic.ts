import { setTimeout as delay } from "node:timers/promises";
import type { RoundTimes } from "../scenarios/scenario.ts";
import type { Received, Route, SharedQuota } from "./calls.ts";
import type { Clients } from "./clients.ts";

/** So many in one call, whose deadline tens of thousands would miss. */
const opensPerCall = 5_000;

/** What is sent: a Connection for each route, of which there may be many alike. */
export interface Traffic {
  readonly routes: readonly Route[];
  readonly messageBytes: number;
  readonly quota?: SharedQuota;
}

export async function startTraffic(from: Clients, { routes, messageBytes, quota }: Traffic): Promise<void> {
  for (let at = 0; at < routes.length; at += opensPerCall)
    await from.call("open", { routes: routes.slice(at, at + opensPerCall) });
  await from.call("send", { messageBytes, quota: quota ?? null });
}

/**
 * Sends as fast as messages are taken; how many arrived in a second, in each of several rounds.
 *
 * @throws Error when not all that was sent has arrived, in order.
 */
export async function rates(
  from: Clients,
  to: readonly Clients[],
  traffic: Traffic,
  { warmUpMs, durationMs }: RoundTimes,
  rounds = 1,
): Promise<number[]> {
  const receivedByAll = (): Promise<Received[]> => Promise.all(to.map((clients) => clients.call("received", null)));
  const first = await receivedByAll();
  await startTraffic(from, traffic);
  await delay(warmUpMs);
  const perSecond: number[] = [];
  let before = await receivedByAll();
  for (let round = 0; round < rounds; round++) {
    await delay(durationMs);
    const after = await receivedByAll();
    perSecond.push(rateBetween(before, after));
    before = after;
  }
  const sent = await from.call("stop", null);
  const last = await receivedByAll();
  const arrived = sumOf(last, "messages") - sumOf(first, "messages");
  if (sent !== arrived) throw new Error(`${sent} were sent, ${arrived} arrived`);
  const disorder = sumOf(last, "disorder");
  if (disorder > 0) throw new Error(`${disorder} messages came out of order`);
  return perSecond;
}

/** Each process has counted at its own time. */
function rateBetween(before: readonly Received[], after: readonly Received[]): number {
  return after.reduce((sum, { messages, timeMs }, at) => {
    const from = before[at] ?? { messages, timeMs };
    return sum + ((messages - from.messages) * 1_000) / (timeMs - from.timeMs);
  }, 0);
}

function sumOf(received: readonly Received[], what: "messages" | "disorder"): number {
  return received.reduce((sum, { [what]: count }) => sum + count, 0);
}
