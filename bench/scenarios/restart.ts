import { setTimeout as delay } from "node:timers/promises";
import { startRouter } from "../../scripts/router.ts";
import { Clients } from "../clients/clients.ts";
import { quantile } from "../statistics.ts";
import type { Figures, Scenario } from "./scenario.ts";

const [clientCount, processCount] = [1_000, 4];
/** A link that was up for less counts as one more failure, so that its client waits longer before the next dial. */
const settledMs = 1_500;

/** A router that dies under its clients: how soon are they back once it listens again? */
export const restart: Scenario = {
  name: "restart",
  title: `router killed and started again under ${clientCount.toLocaleString("en")} clients`,
  metrics: [
    { figure: "lastMs", title: "the last client is back after", unit: "ms" },
    { figure: "p50Ms", title: "half of them are after", unit: "ms" },
    { figure: "dialP50Ms", title: "a dial that gets through takes", unit: "ms" },
    { figure: "downMs", title: "the router was down for", unit: "ms" },
  ],
  contenders: [
    {
      name: "router",
      title: "MessagePasser",
      start: async (stage, own) => {
        const population = await stage.population(clientCount);
        const stateDirectory = await population.copy();
        let router = await startRouter({ stateDirectory });
        own.defer(() => router[Symbol.asyncDispose]());
        const port = Number(router.url.port);
        const all: Clients[] = [];
        for (let at = 0; at < processCount; at++) {
          const accounts = population.accounts.filter((_, number) => number % processCount === at);
          const clients = own.use(new Clients(router.url, `process ${at + 1} of clients`));
          await clients.connect(accounts);
          all.push(clients);
        }
        const again = async (): Promise<void> => {
          // Miniflare ends workerd with SIGKILL.
          await router[Symbol.asyncDispose]();
          router = await startRouter({ stateDirectory, port });
        };
        return () => timesBack(all, again);
      },
    },
  ],
  targets: [],
  rounds: 3,
};

/** @throws Error when the router doesn't know all of them in the end. */
async function timesBack(all: readonly Clients[], restartRouter: () => Promise<void>): Promise<Figures> {
  await delay(settledMs);
  const back = Promise.all(all.map((clients) => clients.call("returns", null)));
  // Nobody waits for it yet.
  back.catch(() => undefined);
  const killedMs = nowMs();
  await restartRouter();
  const readyMs = nowMs();
  const returns = (await back).flat();
  const known = await all[0]?.call("countPeers", null);
  if (known !== clientCount) throw new Error(`${known} of ${clientCount} clients are back after the restart`);
  const times = returns.map(({ onlineMs }) => onlineMs - readyMs);
  const dials = returns.map(({ dialledMs, onlineMs }) => onlineMs - dialledMs);
  return {
    lastMs: Math.max(...times),
    p50Ms: quantile(times, 0.5),
    dialP50Ms: quantile(dials, 0.5),
    downMs: readyMs - killedMs,
  };
}

/** As the clients' processes have it, too. */
function nowMs(): number {
  return performance.timeOrigin + performance.now();
}
