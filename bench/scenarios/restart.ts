import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Client, connect } from "messagepasser";
import { startRouter } from "../../scripts/router.ts";
import { addClients } from "../processes/accounts.ts";
import { quantile } from "../report/statistics.ts";
import type { Measure, Scenario } from "./scenario.ts";

const clientCount = 1_000;
/** A link that was up for less counts as one more failure, so that its client waits longer before it dials again. */
const settledMs = 1_500;

/** A router that dies under its clients: how soon are they back once it listens again? */
export const restart: Scenario = {
  name: "restart",
  title: `router killed and restarted under ${clientCount.toLocaleString("en")} clients`,
  metrics: [
    { figure: "lastMs", title: "last client back", unit: "ms" },
    { figure: "p50Ms", title: "half of the clients back", unit: "ms" },
    { figure: "downMs", title: "router down", unit: "ms" },
  ],
  contenders: [{ name: "router", title: "MessagePasser", start: (_stage, own) => started(own) }],
  targets: [],
  settleMs: 0,
};

async function started(own: AsyncDisposableStack): Promise<Measure> {
  const stateDirectory = await mkdtemp(join(tmpdir(), "messagepasser-bench-"));
  own.defer(() => rm(stateDirectory, { recursive: true }));
  let router = await startRouter({ stateDirectory });
  own.defer(() => router[Symbol.asyncDispose]());
  const clients: Client[] = [];
  own.defer(() => Promise.all(clients.map((client) => client.close())).then(() => undefined));
  /** When each client got its link, by name. */
  const online = new Map<string, number>();
  let allOnline = Promise.withResolvers<undefined>();
  for (const account of await addClients(router, clientCount)) {
    const onStatus = ({ kind }: { readonly kind: string }): void => {
      if (kind === "online") online.set(account.name, performance.now());
      if (online.size === clientCount) allOnline.resolve(undefined);
    };
    clients.push(await connect(router.url, { ...account, onStatus }));
  }
  return async () => {
    await delay(settledMs);
    online.clear();
    allOnline = Promise.withResolvers();
    const killedMs = performance.now();
    const port = Number(router.url.port);
    // Miniflare ends workerd with SIGKILL.
    await router[Symbol.asyncDispose]();
    router = await startRouter({ stateDirectory, port });
    const readyMs = performance.now();
    await allOnline.promise;
    const times = [...online.values()].map((onlineMs) => onlineMs - readyMs);
    const known = await clients[0]?.peers();
    if (known?.length !== clientCount) throw new Error(`The router knows ${known?.length} of ${clientCount} clients`);
    return { lastMs: Math.max(...times), p50Ms: quantile(times, 0.5), downMs: readyMs - killedMs };
  };
}
