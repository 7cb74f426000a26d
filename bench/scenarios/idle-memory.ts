import { setTimeout as delay } from "node:timers/promises";
import { startRouter } from "../../scripts/router.ts";
import type { Account } from "../clients/calls.ts";
import { Links, linksPossible } from "../links/links.ts";
import { trustingWorker } from "../links/trusting-worker.ts";
import { residentBytes, startedProcess } from "../systems/processes.ts";
import { startRelay } from "../systems/relay.ts";
import type { Stage } from "../stage.ts";
import type { Contender, Figures, Scenario } from "./scenario.ts";

/** After the first links all code is loaded, so that what later ones take is theirs. */
const [firstLinks, allLinks] = [100, linksPossible(10_000)];
/** Until what was needed only to let clients in is gone. */
const settleMs = 2_000;

/** What a client costs that is there and says nothing, to a router that hibernates; and a bare WebSocket that does. */
export const idleMemory: Scenario = {
  name: "idle-memory",
  title: `memory of the server for each of ${allLinks.toLocaleString("en")} idle clients`,
  metrics: [{ figure: "kibibytesPerClient", title: "memory", unit: "KiB" }],
  contenders: [
    // The simulator of KV shares the process, and keeps more of each client than the router does: so nobody is looked up.
    contender("router", "MessagePasser, without authentication", async () => {
      const options = { worker: await trustingWorker() };
      const accounts = Array.from({ length: allLinks }, (_, at) => ({ name: `client-${at}`, secret: "any" }));
      return (own) => emptyRouter(own, options, accounts);
    }),
    contender("bare-sockets", "hibernatable WebSockets alone", () =>
      Promise.resolve(async (own) => {
        const [relay, processId] = await startedProcess("workerd", startRelay);
        own.defer(() => relay.dispose());
        const object = { name: "/connect", webSockets: "hibernate" } as const;
        return {
          url: await relay.ready,
          processId,
          accounts: Array.from({ length: allLinks }, () => null),
          hibernate: () => relay.unsafeEvictDurableObject("relay", "Relay", object),
        };
      }),
    ),
    contender("with-kv", "MessagePasser, with the simulator of KV", async (stage) => {
      const population = await stage.population(allLinks);
      const options = { stateDirectory: await population.copy() };
      return (own) => emptyRouter(own, options, population.accounts);
    }),
  ],
  targets: [{ figure: "kibibytesPerClient", against: "bare-sockets", atMost: 1.1 }],
  // Each begins with a new process, and fills it.
  rounds: 2,
};

async function emptyRouter(
  own: AsyncDisposableStack,
  options: Parameters<typeof startRouter>[0],
  accounts: readonly Account[],
): Promise<Empty> {
  const [router, processId] = await startedProcess("workerd", () => startRouter(options));
  own.use(router);
  return { url: router.url, processId, accounts, hibernate: () => router.evict("hibernate") };
}

/** A server that nobody is connected with yet. */
interface Empty {
  readonly url: URL;
  readonly processId: number;
  readonly accounts: readonly (Account | null)[];
  hibernate(): Promise<void>;
}

type Start = (own: AsyncDisposableStack) => Promise<Empty>;

function contender(name: string, title: string, prepare: (stage: Stage) => Promise<Start>): Contender {
  return {
    name,
    title,
    start: async (stage) => {
      const start = await prepare(stage);
      return () => filled(start);
    },
  };
}

/** @throws Error when a link is lost meanwhile. */
async function filled(start: Start): Promise<Figures> {
  await using own = new AsyncDisposableStack();
  const { url, processId, accounts, hibernate } = await start(own);
  const links = own.use(new Links(url));
  const residentWith = async (more: readonly (Account | null)[]): Promise<number> => {
    await links.open(more);
    await hibernate();
    await delay(settleMs);
    return residentBytes(processId);
  };
  const before = await residentWith(accounts.slice(0, firstLinks));
  const after = await residentWith(accounts.slice(firstLinks));
  await links.check();
  return { kibibytesPerClient: (after - before) / 1_024 / (accounts.length - firstLinks) };
}
