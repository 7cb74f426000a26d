import { setTimeout as delay } from "node:timers/promises";
import { type Client, connect } from "messagepasser";
import { setShards } from "../../scripts/admin-client.ts";
import type { Router } from "../../scripts/router.ts";
import { homeOf } from "../../src/shards/home.ts";
import { type Account, trustedAccounts } from "../processes/accounts.ts";
import { mostLinks } from "../processes/links.ts";
import { residentBytes, withWorkerdId } from "../processes/linux.ts";
import { startTrustingRouter } from "../processes/trusting-router.ts";
import { quantile } from "../report/statistics.ts";
import type { Contender, Figures, Scenario } from "./scenario.ts";

/** After the first links all code is loaded, so that the memory that later ones take is theirs. */
const firstClients = 100;
const atOnce = 50;
const wakes = 5;
/** Until memory that only connecting needed is free again, and all links count as good ones. */
const settleMs = 2_000;

/** Idle clients of one realm: what they cost its objects, and how they come back when all objects are reset at once. */
export const idleShards: Scenario = {
  name: "idle-shards",
  title: `all objects of ${mostLinks.toLocaleString("en")} idle clients reset`,
  metrics: [
    { figure: "lastMs", title: "last client back", unit: "ms" },
    { figure: "p50Ms", title: "half of the clients back", unit: "ms" },
    { figure: "mostPerSecond", title: "most links in a second", unit: "/s" },
    { figure: "attempts", title: "attempts for each client", unit: "" },
    { figure: "wokenMs", title: "first round trip after all objects slept", unit: "ms" },
    { figure: "kibibytesPerClient", title: "memory for each client, asleep", unit: "KiB" },
    { figure: "kibibytesInMemory", title: "more once its link was looked up", unit: "KiB" },
  ],
  contenders: [contender("4", 4), contender("1", 1)],
  targets: [],
  // Each round starts a router and fills it, so there is nothing to warm up.
  settleMs: 0,
  rounds: 1,
};

function contender(name: string, shards: number): Contender {
  const title = shards === 1 ? "one object" : `${shards} shards`;
  return { name, title, start: () => Promise.resolve(() => measure(shards)) };
}

async function measure(shards: number): Promise<Figures> {
  await using own = new AsyncDisposableStack();
  const [started, id] = await withWorkerdId(startTrustingRouter);
  const router = own.use(started);
  await setShards(router, shards);
  const crowd = own.use(new Crowd(router));
  const evictAll = async (links: "hibernate" | "close"): Promise<void> => {
    await Promise.all(Array.from({ length: shards }, (_, shard) => router.evict(links, shard)));
  };
  const residentAsleep = async (): Promise<number> => {
    await evictAll("hibernate");
    await delay(settleMs);
    return residentBytes(id);
  };

  const accounts = trustedAccounts(mostLinks);
  await crowd.connect(accounts.slice(0, firstClients));
  const beforeBytes = await residentAsleep();
  await crowd.connect(accounts.slice(firstClients));
  const asleepBytes = await residentAsleep();
  await crowd.check();
  await delay(settleMs);
  const inMemoryBytes = residentBytes(id);
  const wokenMs = await wokenRoundTrip(shards, crowd, () => evictAll("hibernate"));
  await crowd.check();
  const back = crowd.back();
  await evictAll("close");
  const figures = await back;
  await crowd.check();
  return {
    ...figures,
    wokenMs,
    kibibytesPerClient: (asleepBytes - beforeBytes) / 1_024 / (accounts.length - firstClients),
    kibibytesInMemory: (inMemoryBytes - asleepBytes) / 1_024 / accounts.length,
  };
}

/** Clients that do nothing but to stay connected. */
class Crowd implements AsyncDisposable {
  readonly #router: Router;
  readonly #clients: Client[] = [];
  /** When each client got its link since `back` was called, by name. */
  readonly #online = new Map<string, number>();
  /** Lost links, and attempts that failed. */
  #losses = 0;
  #firstLossMs = 0;
  /** Until all are back. */
  #allOnline: PromiseWithResolvers<void> | undefined;

  constructor(router: Router) {
    this.#router = router;
  }

  async connect(accounts: readonly Account[]): Promise<void> {
    const rest = accounts.values();
    const connectRest = async (): Promise<void> => {
      for (const account of rest) await this.connectOne(account);
    };
    await Promise.all(Array.from({ length: atOnce }, connectRest));
  }

  async connectOne(account: Account): Promise<Client> {
    const onStatus = ({ kind }: { readonly kind: string }): void => {
      if (kind === "offline" && this.#losses++ === 0) this.#firstLossMs = performance.now();
      if (kind === "online") this.#online.set(account.name, performance.now());
      if (kind === "closed") this.#allOnline?.reject(new Error(`${account.name} does not come back`));
      if (this.#online.size === this.#clients.length) this.#allOnline?.resolve();
    };
    const client = await connect(this.#router.url, { ...account, onStatus });
    this.#clients.push(client);
    return client;
  }

  /** Has all objects look at all links. @throws Error when the router doesn't know all of them */
  async check(): Promise<void> {
    const known = await this.#clients[0]?.peers();
    if (known?.length !== this.#clients.length)
      throw new Error(`The router knows ${known?.length} of ${this.#clients.length} clients`);
  }

  /** How all clients come back, from when the first of them has lost its link: workerd needs a while until it ends an object. */
  async back(): Promise<Figures> {
    this.#online.clear();
    this.#losses = 0;
    this.#allOnline = Promise.withResolvers();
    await this.#allOnline.promise;
    this.#allOnline = undefined;
    const times = Array.from(this.#online.values(), (onlineMs) => onlineMs - this.#firstLossMs);
    const inSecond = new Map<number, number>();
    for (const time of times) {
      const second = Math.floor(time / 1_000);
      inSecond.set(second, (inSecond.get(second) ?? 0) + 1);
    }
    return {
      lastMs: Math.max(...times),
      p50Ms: quantile(times, 0.5),
      mostPerSecond: Math.max(...inSecond.values()),
      attempts: this.#losses / times.length,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#allOnline = undefined;
    await Promise.all(this.#clients.map((client) => client.close()));
  }
}

/**
 * How long the first message takes from a client of one shard to one of another, and back, when all objects sleep.
 *
 * @param sleep takes all objects out of memory, which must be awake
 */
async function wokenRoundTrip(shards: number, crowd: Crowd, sleep: () => Promise<void>): Promise<number> {
  const join = (start: string, shard: number): Promise<Client> => {
    let name = start;
    while (homeOf(name, shards) !== shard) name += start;
    return crowd.connectOne({ name, secret: "any" });
  };
  const [alice, bob] = [await join("alice", 0), await join("bob", shards - 1)];
  bob.handle("echo", async (connection) => {
    for await (const message of connection) await connection.send(message);
  });
  const connection = await alice.open(bob.name, "echo");
  const wokenMs: number[] = [];
  for (let count = 0; count < wakes; count++) {
    await crowd.check();
    // Until everything is acknowledged.
    await delay(settleMs);
    await sleep();
    const beforeMs = performance.now();
    await connection.send("x");
    await connection.receive();
    wokenMs.push(performance.now() - beforeMs);
  }
  await connection.close();
  return quantile(wokenMs, 0.5);
}
