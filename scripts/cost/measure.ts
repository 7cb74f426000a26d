import { setTimeout as pause } from "node:timers/promises";
import { type Client, connect, type Connection } from "messagepasser";
import { addClient } from "../admin-client.ts";
import { type Router, startRouter } from "../router.ts";
import type { Measured } from "./model.ts";

const mostMessages = 1_000_000;
const mostBytes = 67_108_864;
const alone = 3;

/** Longer than clients take to acknowledge what they received. */
const settleMs = 2_000;

interface Usage {
  readonly messagesIn: number;
  readonly bytesIn: number;
}

/** Sends messages through a real router on this machine, and asks the router what it counted. */
export async function measure(sizeBytes: number): Promise<Measured> {
  await using router = await startRouter();
  const names = ["sender", "receiver"];
  const secrets = await Promise.all(names.map((name) => addClient(router, name)));
  const [sender, receiver] = await Promise.all(
    names.map((name, at) => connect(router.url.href, { name, secret: secrets[at] ?? "" })),
  );
  if (sender === undefined || receiver === undefined) throw new Error("Both clients are connected above");
  await using clients = new AsyncDisposableStack();
  clients.use(sender);
  clients.use(receiver);
  const messages = Math.min(mostMessages, Math.ceil(mostBytes / Math.max(1, sizeBytes)));
  const stream = await streamed(router, sender, receiver, sizeBytes, messages);
  return { sizeBytes, messages, ...stream, messagesInAlone: await sentAlone(router, sender, receiver, sizeBytes) };
}

/** All of them as fast as the Connection takes them. */
async function streamed(
  router: Router,
  sender: Client,
  receiver: Client,
  sizeBytes: number,
  messages: number,
): Promise<Omit<Measured, "sizeBytes" | "messages" | "messagesInAlone">> {
  const arrived = Promise.withResolvers<number>();
  receiver.handle("stream", async (connection) => {
    let count = 0;
    for await (const message of connection) if (message.length === sizeBytes) count++;
    await connection.close();
    arrived.resolve(count);
  });
  const connection = await sender.open("receiver", "stream");
  await pause(settleMs);
  const before = await usageOf(router);
  const startedMs = performance.now();
  const message = new Uint8Array(sizeBytes);
  for (let left = messages; left > 0; left--) await connection.send(message);
  await connection.close();
  const count = await arrived.promise;
  if (count !== messages) throw new Error(`${messages} messages were sent, ${count} arrived`);
  const elapsedMs = Math.ceil(performance.now() - startedMs);
  await pause(settleMs);
  const { messagesIn, bytesIn } = difference(before, await usageOf(router));
  return { messagesIn, bytesIn, elapsedMs };
}

/** One after the other, each when all of the one before is over. Returns how many WebSocket messages each was. */
async function sentAlone(router: Router, sender: Client, receiver: Client, sizeBytes: number): Promise<number> {
  receiver.handle("alone", drain);
  const connection = await sender.open("receiver", "alone");
  await pause(settleMs);
  const before = await usageOf(router);
  for (let count = 0; count < alone; count++) {
    await connection.send(new Uint8Array(sizeBytes));
    await pause(settleMs);
  }
  return Math.ceil(difference(before, await usageOf(router)).messagesIn / alone);
}

async function drain(connection: Connection): Promise<void> {
  while ((await connection.receive()) !== undefined) continue;
}

async function usageOf(router: Router): Promise<Usage> {
  const url = new URL("/admin/v1/realms/default/usage", router.url.href.replace(/^ws/, "http"));
  const response = await fetch(url, { headers: { authorization: `Bearer ${router.adminToken}` } });
  if (!response.ok) throw new Error(`The router doesn't tell its usage: HTTP status ${response.status}`);
  // The router's own answer: see admin.ts.
  return (await response.json()) as Usage;
}

function difference(before: Usage, after: Usage): Usage {
  return { messagesIn: after.messagesIn - before.messagesIn, bytesIn: after.bytesIn - before.bytesIn };
}
