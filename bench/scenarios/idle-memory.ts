import { setTimeout as delay } from "node:timers/promises";
import { type Router, startRouter } from "../../scripts/router.ts";
import { type Account, addClients, trustedAccounts } from "../processes/accounts.ts";
import { IdleLinks, mostLinks } from "../processes/links.ts";
import { residentBytes, withWorkerdId } from "../processes/linux.ts";
import { startTrustingRouter } from "../processes/trusting-router.ts";
import { startRelay } from "../systems/relay/system.ts";
import type { Contender, Figures, Scenario } from "./scenario.ts";

/** After the first links all code is loaded, so that the memory that later ones take is theirs. */
const firstLinks = 100;
/** Until memory that only connecting needed is free again. */
const settleMs = 2_000;

/** What an idle client costs a hibernating router, compared with a bare WebSocket. */
export const idleMemory: Scenario = {
  name: "idle-memory",
  title: `memory of the server for each of ${mostLinks.toLocaleString("en")} idle clients`,
  metrics: [{ figure: "kibibytesPerClient", title: "memory", unit: "KiB" }],
  contenders: [
    // The simulators of KV and of rate limits share the process, and keep more of each client than the router does.
    contender("router", "MessagePasser without authentication", async (own) => {
      const [router, id] = await withWorkerdId(startTrustingRouter);
      return emptyRouter(own.use(router), id, trustedAccounts(mostLinks));
    }),
    contender("bare-sockets", "hibernatable WebSockets alone", async (own) => {
      const [relay, id] = await withWorkerdId(startRelay);
      own.defer(() => relay.dispose());
      const object = { name: "/connect", webSockets: "hibernate" } as const;
      const hibernate = () => relay.unsafeEvictDurableObject("relay", "Relay", object);
      return { url: await relay.ready, id, accounts: Array.from({ length: mostLinks }, () => null), hibernate };
    }),
    contender("with-kv", "MessagePasser with the simulator of KV", async (own) => {
      const [router, id] = await withWorkerdId(() => startRouter());
      return emptyRouter(own.use(router), id, await addClients(router, mostLinks));
    }),
  ],
  targets: [{ figure: "kibibytesPerClient", against: "bare-sockets", atMost: 1.1 }],
  // Each round starts a server and fills it, so there is nothing to warm up.
  settleMs: 0,
  rounds: 2,
};

/** A server without clients. */
interface EmptyServer {
  readonly url: URL;
  /** Of its process. */
  readonly id: number;
  /** Of those that are to connect. */
  readonly accounts: readonly (Account | null)[];
  hibernate(): Promise<void>;
}

function emptyRouter(router: Router, id: number, accounts: readonly Account[]): EmptyServer {
  return { url: router.url, id, accounts, hibernate: () => router.evict("hibernate") };
}

function contender(name: string, title: string, start: (own: AsyncDisposableStack) => Promise<EmptyServer>): Contender {
  const measure = async (): Promise<Figures> => {
    await using own = new AsyncDisposableStack();
    const { url, id, accounts, hibernate } = await start(own);
    const links = own.use(new IdleLinks());
    const residentWith = async (more: readonly (Account | null)[]): Promise<number> => {
      await links.open(url, more);
      await hibernate();
      await delay(settleMs);
      return residentBytes(id);
    };
    const before = await residentWith(accounts.slice(0, firstLinks));
    const after = await residentWith(accounts.slice(firstLinks));
    links.check();
    return { kibibytesPerClient: (after - before) / 1_024 / (accounts.length - firstLinks) };
  };
  return { name, title, start: () => Promise.resolve(measure) };
}
