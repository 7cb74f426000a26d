// Clients of the router, in a process of their own, which can be stopped and woken like a laptop. clients.ts starts it.
import { type Client, connect, type Connection, type Status } from "messagepasser";
import { answerCalls } from "../answering.ts";
import type { Account, ClientCalls, Return, Route, SharedQuota } from "./calls.ts";
import { Quota } from "./quota.ts";

/** What a burst of opens may have pending: see `maxPendingOpens`. */
const opensAtOnce = 500;

/** Those who share a quota hear of each so many messages that came. */
const tellEvery = 8_192;

/** What goes on from `send` to `stop`. */
interface Round {
  isToStop: boolean;
  readonly quota: Quota;
  /** Where the receivers tell what came, if the quota is shared. */
  readonly telling?: Connection;
}

const clients = new Map<string, Client>();
const received = { messages: 0, disorder: 0 };
const absences = new Map<string, { dialledMs: number; onlineMs?: number }>();
let tell = (): void => undefined;
let allReturned = Promise.withResolvers<undefined>();
const opened: Connection[] = [];
let sending: { readonly round: Round; readonly counts: readonly Promise<number>[] } = {
  round: { isToStop: true, quota: new Quota(0) },
  counts: [],
};

answerCalls<ClientCalls>({
  async connect({ url, accounts }) {
    await Promise.all(accounts.map((account) => connectOne(url, account)));
    return null;
  },
  async open({ routes }) {
    for (let at = 0; at < routes.length; at += opensAtOnce) {
      const burst = routes.slice(at, at + opensAtOnce);
      opened.push(...(await Promise.all(burst.map(({ from, to }) => clientOf(from).open(to, "bulk")))));
    }
    return null;
  },
  async send({ messageBytes, quota }) {
    const shared = quota === null ? { quota: new Quota(Infinity) } : await sharedQuota(quota);
    const round: Round = { isToStop: false, ...shared };
    sending = { round, counts: opened.splice(0).map((connection) => pump(connection, messageBytes, round)) };
    return null;
  },
  async stop() {
    const { round } = sending;
    round.isToStop = true;
    // Lets those go that wait for room.
    round.quota.give(Infinity);
    const counts = await Promise.all(sending.counts);
    await round.telling?.close();
    return counts.reduce((sum, count) => sum + count, 0);
  },
  received: () => Promise.resolve({ timeMs: performance.now(), ...received }),
  async fillUnread({ from, to }) {
    const connection = await clientOf(from).open(to, "unread");
    const message = new Uint8Array(16_384);
    void (async () => {
      for (;;) await connection.send(message);
    })().catch(() => undefined);
    return null;
  },
  async roundTrips({ from, to, durationMs }) {
    const connection = await clientOf(from).open(to, "echo");
    const message = new Uint8Array(64);
    const times: number[] = [];
    const endMs = performance.now() + durationMs;
    for (let beforeMs = performance.now(); beforeMs < endMs; beforeMs = performance.now()) {
      await connection.send(message);
      await connection.receive();
      times.push(performance.now() - beforeMs);
    }
    await connection.close();
    return times;
  },
  async returns() {
    await allReturned.promise;
    const returns = [...absences.values()] as Return[];
    absences.clear();
    allReturned = Promise.withResolvers();
    return returns;
  },
  async countPeers() {
    const [first] = clients.values();
    return (await first?.peers())?.length ?? 0;
  },
});

async function connectOne(url: string, { name, secret }: Account): Promise<void> {
  const client = await connect(url, {
    name,
    secret,
    onStatus: (status) => {
      noteStatus(name, status);
    },
  });
  client.handle("bulk", async (connection) => {
    let next = 0;
    for await (const message of connection) {
      received.messages++;
      // Bytes, since that is what `pump` sends.
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
  client.handle("echo", async (connection) => {
    for await (const message of connection) await connection.send(message);
    await connection.close();
  });
  clients.set(name, client);
}

function noteStatus(name: string, status: Status): void {
  const nowMs = performance.timeOrigin + performance.now();
  if (status.kind === "offline") absences.set(name, { dialledMs: nowMs + status.retryInMs });
  const absence = absences.get(name);
  if (status.kind !== "online" || absence === undefined) return;
  absence.onlineMs = nowMs;
  const isBack = [...absences.values()].every(({ onlineMs }) => onlineMs !== undefined);
  if (absences.size === clients.size && isBack) allReturned.resolve(undefined);
}

async function sharedQuota({ messages, route: { from, to } }: SharedQuota): Promise<Pick<Round, "quota" | "telling">> {
  const [quota, telling] = [new Quota(messages), await clientOf(from).open(to, "quota")];
  void (async () => {
    for await (const _ of telling) quota.give(tellEvery);
  })().catch(() => undefined);
  return { quota, telling };
}

/** Sends numbered messages until the round is to stop; how many, once the peer has confirmed them. */
async function pump(connection: Connection, messageBytes: number, round: Round): Promise<number> {
  const message = new Uint8Array(messageBytes);
  const view = new DataView(message.buffer);
  let count = 0;
  for (; !round.isToStop; count++) {
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

function clientOf(name: Route["from"]): Client {
  const client = clients.get(name);
  if (client === undefined) throw new TypeError(`There is no client "${name}" here`);
  return client;
}
