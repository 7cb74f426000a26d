// Clients of the router, in a process of their own. clients.ts starts it.
import { type Client, connect, type Connection } from "messagepasser";
import { answerCalls } from "./answering.ts";
import type { Account } from "./accounts.ts";
import { Quota } from "./quota.ts";

export type ClientCalls = typeof calls;

/** From a client of this process to any other. */
export interface Route {
  readonly from: string;
  readonly to: string;
}

/** The most messages that are under way on all Connections together. All receivers are in one process. */
export interface SharedQuota {
  readonly messages: number;
  /** On which the receivers' process tells how many messages came. */
  readonly route: Route;
}

/** How many messages are sent in a second on all Connections together, which take turns. */
export interface Pace {
  readonly perSecond: number;
}

/** What goes on from `send` to `stop`. */
interface Sending {
  isOver: boolean;
  readonly quota: Quota;
  readonly telling?: Connection;
  readonly timer?: NodeJS.Timeout;
  counts: readonly Promise<number>[];
}

/** Opens that may be pending at once: see `maxPendingOpens`. */
const opensAtOnce = 500;
/** With a shared quota, the receivers' process tells about each this many messages. */
const tellEvery = 8_192;

const clients = new Map<string, Client>();
const received = { messages: 0, disorder: 0 };
let tell = (): void => undefined;
const opened: Connection[] = [];
let sending: Sending = { isOver: true, quota: new Quota(0), counts: [] };

const calls = {
  /** Connects more clients. */
  connect: async ({ url, accounts }: { readonly url: string; readonly accounts: readonly Account[] }) => {
    await Promise.all(accounts.map((account) => connectOne(url, account)));
    return null;
  },
  /** Opens a Connection for each route. A route may occur many times. */
  open: async ({ routes }: { readonly routes: readonly Route[] }) => {
    for (let at = 0; at < routes.length; at += opensAtOnce) {
      const burst = routes.slice(at, at + opensAtOnce);
      opened.push(...(await Promise.all(burst.map(({ from, to }) => clientOf(from).open(to, "bulk")))));
    }
    return null;
  },
  /** Sends messages on all Connections that `open` has opened, until `stop`: as fast as possible, or as the quota lets it. */
  send: async ({
    messageBytes,
    quota,
  }: {
    readonly messageBytes: number;
    readonly quota: SharedQuota | Pace | null;
  }) => {
    const given = quota === null ? { quota: new Quota(Infinity) } : await quotaOf(quota);
    const started: Sending = { isOver: false, ...given, counts: [] };
    started.counts = opened.splice(0).map((connection) => pump(connection, messageBytes, started));
    sending = started;
    return null;
  },
  /** Closes the Connections. Answers how many messages were sent, once the peers have confirmed them all. */
  stop: async () => {
    sending.isOver = true;
    clearInterval(sending.timer);
    // Wakes those that wait for room.
    sending.quota.give(Infinity);
    const counts = await Promise.all(sending.counts);
    await sending.telling?.close();
    return counts.reduce((sum, count) => sum + count, 0);
  },
  /** How many messages have come so far, and how many of them out of order. */
  received: () => Promise.resolve({ timeMs: performance.now(), ...received }),
  /** Opens a Connection that the peer never reads, and fills it. */
  fillUnread: async ({ from, to }: Route) => {
    const connection = await clientOf(from).open(to, "unread");
    const message = new Uint8Array(16_384);
    void (async () => {
      for (;;) await connection.send(message);
    })().catch(() => undefined);
    return null;
  },
};

answerCalls(calls);

async function connectOne(url: string, { name, secret }: Account): Promise<void> {
  const client = await connect(url, { name, secret });
  client.handle("bulk", async (connection) => {
    let next = 0;
    for await (const message of connection) {
      received.messages++;
      // `pump` sends bytes.
      if (numberIn(message as Uint8Array) !== next++) received.disorder++;
      if (received.messages % tellEvery === 0) tell();
    }
    await connection.close();
  });
  client.handle("quota", async (connection) => {
    tell = () => void connection.send("more").catch(() => undefined);
    await connection.receive();
    await connection.close();
  });
  client.handle("unread", () => undefined);
  clients.set(name, client);
}

async function quotaOf(of: SharedQuota | Pace): Promise<Pick<Sending, "quota" | "telling" | "timer">> {
  if ("messages" in of) return await sharedQuota(of);
  const quota = new Quota(0);
  const startMs = performance.now();
  let given = 0;
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - startMs) * of.perSecond) / 1_000);
    quota.give(due - given);
    given = due;
  }, 1);
  return { quota, timer };
}

async function sharedQuota({ messages, route }: SharedQuota): Promise<Pick<Sending, "quota" | "telling">> {
  const [quota, telling] = [new Quota(messages), await clientOf(route.from).open(route.to, "quota")];
  void (async () => {
    for await (const _ of telling) quota.give(tellEvery);
  })().catch(() => undefined);
  return { quota, telling };
}

/** Sends numbered messages. Resolves to their number, once the peer has confirmed them. */
async function pump(connection: Connection, messageBytes: number, round: Sending): Promise<number> {
  const message = new Uint8Array(messageBytes);
  const view = new DataView(message.buffer);
  let count = 0;
  for (; !round.isOver; count++) {
    const turn = round.quota.take();
    if (turn !== undefined) await turn;
    view.setUint32(0, count);
    await connection.send(message);
  }
  await connection.close();
  const error = await connection.closed;
  if (error !== undefined) throw error;
  return count;
}

function numberIn(message: Uint8Array): number {
  return new DataView(message.buffer, message.byteOffset).getUint32(0);
}

function clientOf(name: string): Client {
  const client = clients.get(name);
  if (client === undefined) throw new TypeError(`There is no client "${name}" here`);
  return client;
}
