import { setTimeout as delay } from "node:timers/promises";
import { clientLimits } from "@messagepasser/protocol";
import { type Client, connect } from "messagepasser";
import { WebSocket } from "ws";
import { LinkError } from "../../client/src/errors.ts";
import { systemClock } from "../../client/src/link/platform.ts";
import { Redial } from "../../client/src/link/redial.ts";
import { restartRealm, setShards } from "../../scripts/admin-client.ts";
import type { Router } from "../../scripts/router.ts";
import { homeOf } from "../../src/shards/home.ts";
import { type Account, trustedAccounts } from "../processes/accounts.ts";
import { mostLinks, newSession, openLink } from "../processes/links.ts";
import { residentBytes, withWorkerdId } from "../processes/linux.ts";
import { startTrustingRouter } from "../processes/trusting-router.ts";
import { quantile } from "../report/statistics.ts";
import type { Contender, Figures, Scenario } from "./scenario.ts";

/** After the first links all code is loaded, so that the memory that later ones take is theirs. */
const firstClients = 100;
const atOnce = 50;
const wakes = 5;
const pollMs = 100;
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
  const crowd = own.use(new Crowd(router.url));
  const [alice, bob] = [
    await join(router, nameOn("alice", 0, shards)),
    await join(router, nameOn("bob", shards - 1, shards)),
  ];
  own.use(alice);
  own.use(bob);
  /** Has all objects look at all links. @throws Error when the router doesn't know all of them */
  const check = async (): Promise<void> => {
    await crowd.whole();
    const known = await alice.peers();
    if (known.length !== crowd.size + 2)
      throw new Error(`The router knows ${known.length} of ${crowd.size + 2} clients`);
  };
  const sleep = async (): Promise<void> => {
    // One that sleeps already can't be evicted.
    await Promise.allSettled(Array.from({ length: shards }, (_, shard) => router.evict("hibernate", shard)));
  };
  const residentAsleep = async (): Promise<number> => {
    await sleep();
    await delay(settleMs);
    return residentBytes(id);
  };

  const accounts = trustedAccounts(mostLinks);
  await crowd.connect(accounts.slice(0, firstClients));
  const beforeBytes = await residentAsleep();
  await crowd.connect(accounts.slice(firstClients));
  const asleepBytes = await residentAsleep();
  await check();
  await delay(settleMs);
  const inMemoryBytes = residentBytes(id);
  const wokenMs = await wokenRoundTrip([alice, bob], async () => {
    await check();
    // Until everything is acknowledged.
    await delay(settleMs);
    await sleep();
  });
  const back = crowd.back();
  await restartRealm(router);
  const figures = await back;
  await check();
  return {
    ...figures,
    wokenMs,
    kibibytesPerClient: (asleepBytes - beforeBytes) / 1_024 / (accounts.length - firstClients),
    kibibytesInMemory: (inMemoryBytes - asleepBytes) / 1_024 / accounts.length,
  };
}

function nameOn(start: string, shard: number, shards: number): string {
  let name = start;
  while (homeOf(name, shards) !== shard) name += start;
  return name;
}

function join(router: Router, name: string): Promise<Client> {
  return connect(router.url, { name, secret: "any" });
}

/** How long the first message takes from one client to another, and back, when all objects sleep. */
async function wokenRoundTrip([alice, bob]: readonly [Client, Client], sleep: () => Promise<void>): Promise<number> {
  bob.handle("echo", async (connection) => {
    for await (const message of connection) await connection.send(message);
  });
  const connection = await alice.open(bob.name, "echo");
  const wokenMs: number[] = [];
  for (let count = 0; count < wakes; count++) {
    await sleep();
    const beforeMs = performance.now();
    await connection.send("x");
    await connection.receive();
    wokenMs.push(performance.now() - beforeMs);
  }
  await connection.close();
  return quantile(wokenMs, 0.5);
}

/** Links that come back by the rules of the published client, of which so many would fill the memory. */
class Crowd implements Disposable {
  readonly #url: URL;
  readonly #sockets = new Map<string, WebSocket>();
  /** When each client got its link since `back` was called. */
  readonly #online: number[] = [];
  /** Lost links, and attempts that failed. */
  #losses = 0;
  #firstLossMs = 0;
  #allOnline = Promise.withResolvers<void>();
  #isOver = false;

  constructor(url: URL) {
    this.#url = url;
  }

  get size(): number {
    return this.#sockets.size;
  }

  async connect(accounts: readonly Account[]): Promise<void> {
    const rest = accounts.values();
    const connectRest = async (): Promise<void> => {
      for (const account of rest) await new Promise<void>((resolve) => this.#keepConnected(account, resolve));
    };
    await Promise.all(Array.from({ length: atOnce }, connectRest));
  }

  /** Waits until all have a link: a shard with too much to do sends some away for a while. */
  async whole(): Promise<void> {
    const isWhole = (): boolean =>
      Array.from(this.#sockets.values()).every(({ readyState }) => readyState === WebSocket.OPEN);
    while (!isWhole()) await delay(pollMs);
  }

  #keepConnected(account: Account, online: () => void): void {
    const session = newSession();
    const redial = new Redial(systemClock, { retriesFirst: true, hasFreshSecrets: false });
    const dial = async (): Promise<void> => {
      try {
        const socket = await openLink(this.#url, account, { session, withinMs: clientLimits.answerWithinMs });
        socket.on("error", () => undefined);
        socket.on("close", dialLater);
        this.#sockets.set(account.name, socket);
        redial.online();
        this.#online.push(performance.now());
        if (this.#online.length === this.size) this.#allOnline.resolve();
        online();
      } catch {
        dialLater();
      }
    };
    const dialLater = (): void => {
      if (this.#isOver) return;
      if (this.#losses++ === 0) this.#firstLossMs = performance.now();
      setTimeout(() => void dial(), redial.pauseMs(lost));
    };
    void dial();
  }

  /** How all come back, from when the first of them has lost its link: workerd needs a while until it ends an object. */
  async back(): Promise<Figures> {
    this.#online.length = 0;
    this.#losses = 0;
    this.#allOnline = Promise.withResolvers();
    await this.#allOnline.promise;
    const times = this.#online.map((onlineMs) => onlineMs - this.#firstLossMs);
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

  [Symbol.dispose](): void {
    this.#isOver = true;
    for (const socket of this.#sockets.values()) socket.terminate();
  }
}

const lost = new LinkError("link-lost", "The link was lost", true);
