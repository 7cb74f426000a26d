import type { Client, Connection } from "messagepasser";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Realm, startRealm } from "./realm.ts";

// A sender of much data leaves room for senders of little. Only the order of arrival counts here, not the speed.

const largeBytes = 16_000_000;

let realm: Realm;
let alice: Client;
let bob: Client;
let carol: Client;

beforeAll(async () => {
  realm = await startRealm();
  [alice, bob, carol] = await Promise.all([realm.connect("alice"), realm.connect("bob"), realm.connect("carol")]);
  for (const client of [bob, carol]) {
    client.handle("echo", async (connection) => {
      for await (const message of connection) await connection.send(message);
    });
    client.handle("swallow", async (connection) => {
      await connection.send(String((await connection.receive())?.length));
    });
  }
});

afterAll(async () => {
  await Promise.all([alice, bob, carol].map((client) => client.close({ deadlineMs: 0 })));
  await realm[Symbol.asyncDispose]();
});

async function roundTrip(connection: Connection, message: string): Promise<void> {
  await connection.send(message);
  expect(await connection.receive()).toBe(message);
}

test.each([
  ["on another Connection to the same peer", "alice", "bob"],
  ["to another peer", "alice", "carol"],
  ["from another client to the same peer", "carol", "bob"],
] as const)("a large message holds up no small one %s", async (_, from, to) => {
  const sender = from === "alice" ? alice : carol;
  const [large, small] = await Promise.all([alice.open("bob", "swallow"), sender.open(to, "echo")]);
  const order: string[] = [];
  const sending = large.send(new Uint8Array(largeBytes));
  const swallowed = large.receive().then((length) => order.push(String(length)));
  for (let trip = 0; trip < 3; trip++) {
    await roundTrip(small, `trip ${trip}`);
    order.push(`trip ${trip}`);
  }
  await Promise.all([sending, swallowed]);
  expect(order).toEqual(["trip 0", "trip 1", "trip 2", String(largeBytes)]);
});
