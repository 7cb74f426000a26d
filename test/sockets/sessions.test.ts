import { once } from "node:events";
import { errorCodes } from "@messagepasser/protocol";
import type { Client, Connection } from "messagepasser";
import { describe, expect, test } from "vitest";
import { rawLink } from "./raw-links.ts";
import { sharedRealm } from "./realm.ts";

// Many programs of one name at once.

const shared = sharedRealm();

/** A session that answers each open with what it is called. */
async function worker(
  name: string,
  called: string,
  options: { instance?: string; share?: boolean } = {},
): Promise<Client> {
  const { share = false, ...rest } = options;
  const client = await shared.realm.connect(name, rest);
  client.handle("who", (connection) => connection.send(called), { share });
  // Its router has heard what it serves.
  await client.peers();
  return client;
}

async function ask(name: string, options: { session?: string; instance?: string } = {}): Promise<unknown> {
  await using connection = await shared.alice.open(name, "who", options);
  return await connection.receive();
}

describe("two sessions of one name", () => {
  test("two sessions of one name both go on; the newest that handles a protocol gets its opens, and then the other one", async () => {
    await using old = await worker("bob", "old");
    await using connection = await shared.alice.open("bob", "who");
    const young = await worker("bob", "young");
    await using idle = await shared.realm.connect("bob");
    expect(await ask("bob")).toBe("young");
    expect(await idle.peers()).toContain("bob");
    await young.close();
    expect(await ask("bob")).toBe("old");
    expect(await connection.receive()).toBe("old");
    expect(connection).toMatchObject({ peer: "bob", session: old.session, instance: "" });
  });

  test("two sessions of one name are reached by session and by instance, and a session that serves nothing of it isn't", async () => {
    await using desk = await worker("carol", "desk", { instance: "desk" });
    await using laptop = await worker("carol", "laptop", { instance: "laptop" });
    await using plain = await worker("carol", "plain");
    const answers = [
      await ask("carol", { instance: "desk" }),
      await ask("carol", { session: laptop.session }),
      await ask("carol"),
    ];
    expect(answers).toEqual(["desk", "laptop", "plain"]);
    await expect(shared.alice.open("carol", "who", { instance: "phone" })).rejects.toMatchObject({
      code: "peer-absent",
    });
    await expect(shared.alice.open("carol", "else")).rejects.toMatchObject({ code: "unknown-protocol" });
    plain.unhandle("who");
    desk.unhandle("who");
    await Promise.all([plain.peers(), desk.peers()]);
    expect(await ask("carol")).toBe("laptop");
  });

  test("two sessions of one name open to each other, and each is told who the other one is", async () => {
    await using here = await worker("dave", "here", { instance: "here" });
    const opened = Promise.withResolvers<Connection>();
    here.handle("hello", (connection) => {
      opened.resolve(connection);
    });
    await here.peers();
    await using there = await shared.realm.connect("dave", { instance: "there" });
    await using connection = await there.open("dave", "hello");
    expect(connection).toMatchObject({ peer: "dave", instance: "here", session: here.session });
    expect(await opened.promise).toMatchObject({ peer: "dave", instance: "there", session: there.session });
  });
});

test("a session that doesn't answer loses the open to another one after a part of the time, and hears that it is withdrawn", async () => {
  await using live = await worker("frank", "live");
  using dead = await rawLink(shared.realm, "frank");
  dead.toRouter({ kind: "serve", share: 0, add: ["who"], remove: [] });
  dead.toRouter({ kind: "list", request: 1, cursor: "" });
  await dead.hear("peers");
  await using connection = await shared.alice.open("frank", "who", { first: "hello", timeoutMs: 2_000 });
  expect(connection.session).toBe(live.session);
  expect(await connection.receive()).toBe("live");
  expect(await dead.hear("open")).toMatchObject({ protocol: "who", first: new TextEncoder().encode("hello") });
  expect(await dead.hear("reset")).toMatchObject({ code: errorCodes.openTimedOut });
});

test("sessions that share a protocol each get some of 60 opens, and all of them when the others leave", async () => {
  const workers = await Promise.all(["a", "b", "c"].map((called) => worker("pool", called, { share: true })));
  const answers: unknown[] = [];
  for (let count = 0; count < 60; count++) answers.push(await ask("pool"));
  for (const called of ["a", "b", "c"])
    expect(answers.filter((answer) => answer === called).length).toBeGreaterThan(10);
  await Promise.all([workers[0]?.close(), workers[1]?.close()]);
  for (let count = 0; count < 10; count++) expect(await ask("pool")).toBe("c");
  await workers[2]?.close();
});

test("an instance that is started again 100 times takes over each time, and peers of the old one are told within a second", async () => {
  let current = await worker("erin", "0", { instance: "desk" });
  for (let at = 1; at <= 100; at++) {
    const connection = await shared.alice.open("erin", "who");
    const next = await worker("erin", String(at), { instance: "desk" });
    const endsInTime = Promise.race([connection.closed, once(AbortSignal.timeout(1_000), "abort")]);
    expect(await endsInTime).toMatchObject({ code: "peer-gone" });
    expect(await current.closed).toMatchObject({ code: "superseded" });
    expect(await ask("erin")).toBe(String(at));
    current = next;
  }
  await current.close();
});

test("a name has at most 100 sessions, and the next one waits until another leaves", async () => {
  const clients = await Promise.all(Array.from({ length: 100 }, () => shared.realm.connect("many")));
  await expect(shared.realm.connect("many")).rejects.toMatchObject({ code: "overloaded" });
  await clients[0]?.close();
  const next = await shared.realm.connect("many");
  await Promise.all([next, ...clients].map((client) => client.close()));
});
