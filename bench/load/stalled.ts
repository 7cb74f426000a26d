import { setTimeout as delay } from "node:timers/promises";
import { limits } from "@messagepasser/protocol";
import { startRouter } from "../../scripts/router.ts";
import { Clients } from "../clients/clients.ts";
import { startTraffic } from "../clients/traffic.ts";
import { residentBytes, startedProcess } from "../systems/processes.ts";

const sleepers = 10;
const connectionsEach = 24;
const stallMs = 15_000;
const mebi = 1_048_576;

/** Ten clients stop reading while others send to them as fast as they can. What does the router hold, and who notices? */
export async function stalled(): Promise<string[]> {
  await using stack = new AsyncDisposableStack();
  const [router, routerId] = await startedProcess("workerd", () => startRouter());
  stack.use(router);
  const residentMiB = (): number => residentBytes(routerId) / mebi;
  const start = async (name: string): Promise<Clients> => stack.use(await Clients.startOne(router, name));
  const asleep: Clients[] = [];
  for (let number = 1; number <= sleepers; number++) asleep.push(await start(`sleeper-${number}`));
  const sender = await start("sender");
  const [talker, listener] = [await start("talker"), await start("listener")];

  await startTraffic(talker, { routes: [{ from: "talker", to: "listener" }], messageBytes: 4_096 });
  const aloneRate = await rateOf(listener);
  const routes = asleep.flatMap(({ names }) =>
    names.flatMap((to) => Array.from({ length: connectionsEach }, () => ({ from: "sender", to }))),
  );
  await startTraffic(sender, { routes, messageBytes: 16_384 });
  const busyRate = await rateOf(listener);
  const beforeMiB = residentMiB();
  for (const end of asleep) end.freeze();
  const stalledRates: number[] = [];
  let mostMiB = 0;
  const endMs = performance.now() + stallMs;
  while (performance.now() < endMs) {
    stalledRates.push(await rateOf(listener, 1_000));
    mostMiB = Math.max(mostMiB, residentMiB());
  }
  for (const end of asleep) end.thaw();
  const [sent] = await Promise.all([sender.call("stop", null), talker.call("stop", null)]);
  await delay(0);
  let [got, disorder] = [0, 0];
  for (const end of asleep) {
    const received = await end.call("received", null);
    got += received.messages;
    disorder += received.disorder;
  }
  return [
    `router's memory: ${beforeMiB.toFixed(0)} MiB with ${sleepers} busy receivers, at most ${mostMiB.toFixed(0)} MiB while they were stopped for ${stallMs / 1_000} s (cap for what is held: ${limits.maxUnreadBytes / mebi} MiB)`,
    `a pair of bystanders: ${aloneRate.toFixed(0)} messages/s alone, ${busyRate.toFixed(0)} beside the busy ones, ${Math.min(...stalledRates).toFixed(0)} to ${Math.max(...stalledRates).toFixed(0)} while those were stopped`,
    `after they woke: ${sent} messages sent and confirmed, ${got} received, ${disorder} out of order, ${sent - got} lost`,
  ];
}

async function rateOf(end: Clients, durationMs = 3_000): Promise<number> {
  const before = await end.call("received", null);
  const startMs = performance.now();
  await delay(durationMs);
  const after = await end.call("received", null);
  return ((after.messages - before.messages) * 1_000) / (performance.now() - startMs);
}
