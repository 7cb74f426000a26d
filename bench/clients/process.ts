// Clients of the router, in a process of their own, which can be stopped and woken like a laptop. clients.ts starts it.
import { type Client, connect, type Connection, type Status } from "messagepasser";
import { answerCalls } from "../answering.ts";
import type { Account, ClientCalls, Return, Route } from "./calls.ts";

/** What a burst of opens may have pending: see `maxPendingOpens`. */
const opensAtOnce = 500;

const clients = new Map<string, Client>();
const received = { messages: 0, disorder: 0 };
const absences = new Map<string, { dialledMs: number; onlineMs?: number }>();
let allReturned = Promise.withResolvers<undefined>();
let sending = { round: { isToStop: true }, counts: [] as readonly Promise<number>[] };

answerCalls<ClientCalls>({
  async connect({ url, accounts }) {
    await Promise.all(accounts.map((account) => connectOne(url, account)));
    return null;
  },
  async send({ routes, connectionsEach, messageBytes }) {
    const all = routes.flatMap((route) => Array.from({ length: connectionsEach }, () => route));
    const connections: Connection[] = [];
    for (let at = 0; at < all.length; at += opensAtOnce) {
      const burst = all.slice(at, at + opensAtOnce);
      connections.push(...(await Promise.all(burst.map(({ from, to }) => clientOf(from).open(to, "bulk")))));
    }
    const round = { isToStop: false };
    sending = { round, counts: connections.map((connection) => pump(connection, messageBytes, round)) };
    return null;
  },
  async stop() {
    sending.round.isToStop = true;
    const counts = await Promise.all(sending.counts);
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
    }
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

/** Sends numbered messages until the round is to stop; how many, once the peer has confirmed them. */
async function pump(connection: Connection, messageBytes: number, round: { isToStop: boolean }): Promise<number> {
  const message = new Uint8Array(messageBytes);
  const view = new DataView(message.buffer);
  let count = 0;
  for (; !round.isToStop; count++) {
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
