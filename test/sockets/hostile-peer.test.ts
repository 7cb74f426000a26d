import { randomBytes } from "node:crypto";
import { type ControlFrame, dataFlags, flipOpenerBit, limits, openerBit } from "@messagepasser/protocol";
import { type Client, type Connection } from "messagepasser";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dataFrame, framesOf, openTo } from "../support/batches.ts";
import type { FrameLink } from "../support/readings.ts";
import { rawLink } from "./raw-links.ts";
import { type Realm, startRealm } from "./realm.ts";

// A client that breaks rules, against one that doesn't, and a bystander who must notice nothing.

let realm: Realm;
let alice: Client;
let bob: Client;
let bystanders: Connection;

beforeAll(async () => {
  realm = await startRealm();
  [alice, bob] = await Promise.all([realm.connect("alice"), realm.connect("bob")]);
  bob.handle("echo", async (connection) => {
    for await (const message of connection) await connection.send(message);
  });
  bystanders = await alice.open("bob", "echo");
});

afterAll(async () => {
  await bystanders.send("still here");
  expect(await bystanders.receive()).toBe("still here");
  await Promise.all([alice.close(), bob.close()]);
  await realm[Symbol.asyncDispose]();
});

/** A Connection of alice's with a hostile peer that has accepted it. */
async function withMallory(
  limit: number,
): Promise<{ mallory: FrameLink; here: Connection; address: number; connection: number }> {
  const mallory = await rawLink(realm, "mallory");
  const opening = alice.open("mallory", "x");
  const { address, connection } = await mallory.hear("open");
  mallory.say(address, { kind: "credit", connection, received: 0, limit });
  return { mallory, here: await opening, address, connection };
}

describe("a peer", () => {
  test("a peer that sends past the limit has its Connection reset", async () => {
    const { mallory, here, address, connection } = await withMallory(0);
    using _ = mallory;
    const payload = new Uint8Array(limits.maxPayloadBytes);
    for (let count = 0; count < 5; count++) {
      mallory.say(address, dataFrame(connection, count * (payload.length + limits.frameCostBytes), payload));
    }
    expect(await mallory.hear("reset")).toMatchObject({ code: 106, reason: "Data past the limit of 262144" });
    expect(await here.closed).toMatchObject({ code: "violation", peer: "mallory" });
  });

  test.each([
    ["data at another offset", [{ data: 5 }], "Offset 5 where 0 was due"],
    ["text that is not UTF-8", [{ text: new Uint8Array([0xff]) }], "Text that is not UTF-8"],
    ["a FIN at another offset", [{ fin: 16 }], "Offset 16 where 0 was due"],
    ["data after its FIN", [{ fin: 0 }, { data: 16 }], "Data after the FIN"],
    ["two FINs", [{ fin: 0 }, { fin: 16 }], "A second FIN"],
    ["credit for what was never sent", [{ received: 1 }], "1 acknowledged, between 0 and 0,"],
  ])("a peer that sends %s has its Connection reset", async (_, frames, reason) => {
    const { mallory, here, address, connection } = await withMallory(0);
    using __ = mallory;
    const receiving = here.receive().catch(() => undefined);
    for (const frame of frames as readonly Record<string, number | Uint8Array>[]) {
      if (frame["data"] !== undefined)
        mallory.say(address, dataFrame(connection, Number(frame["data"]), new Uint8Array()));
      else if (frame["text"] instanceof Uint8Array)
        mallory.say(address, { ...dataFrame(connection, 0, frame["text"]), text: true });
      else if (frame["fin"] !== undefined)
        mallory.say(address, { kind: "fin", connection, offset: Number(frame["fin"]) });
      else mallory.say(address, { kind: "credit", connection, received: Number(frame["received"]), limit: 1_000 });
    }
    expect(await mallory.hear("reset")).toMatchObject({ code: 106, reason });
    expect(await here.closed).toMatchObject({ code: "violation" });
    await receiving;
  });

  test("a peer that sends malformed frames loses its Connections, and the link stays", async () => {
    const { mallory, here, address } = await withMallory(0);
    using _ = mallory;
    const garbage = randomBytes(40);
    garbage[0] = 0x7f;
    mallory.toPeer(address, garbage);
    expect(await here.closed).toMatchObject({ code: "violation" });
    expect(await alice.peers()).toContain("mallory");
  });

  test("a peer that smuggles a router frame into its segment loses its Connections", async () => {
    const { mallory, here, address } = await withMallory(0);
    using _ = mallory;
    // A forged "gone" for bob's address would end Connections that are none of mallory's business.
    mallory.toPeer(address, framesOf({ kind: "gone", address: 2, reason: 1 }));
    expect(await here.closed).toMatchObject({
      code: "violation",
      message: expect.stringContaining("is not a peer frame") as string,
    });
  });

  test("a peer that names Connections that never existed is told that they are over", async () => {
    const { mallory, here, address } = await withMallory(1_000);
    using _ = mallory;
    for (const unknown of [0, 77, openerBit + 77]) {
      mallory.say(address, { kind: "fin", connection: unknown, offset: 0 });
      mallory.say(address, { kind: "reset", connection: unknown, code: 999, reason: "" });
      mallory.say(address, { ...dataFrame(unknown, 0, new Uint8Array(10)), last: false });
      for (let count = 0; count < 3; count++)
        expect(await mallory.hear("done")).toMatchObject({ connection: flipOpenerBit(unknown) });
    }
    await here.send("still fits");
    expect(await mallory.hear("data")).toMatchObject({ text: true, last: true });
    here.abort();
  });

  test("a peer that opens one id twice has one Connection", async () => {
    using mallory = await rawLink(realm, "mallory");
    let handled = 0;
    bob.handle("counted", () => void handled++);
    const open = openTo("bob", { protocol: "counted", limit: 100 });
    mallory.toRouter(open);
    await mallory.hear("credit");
    mallory.toRouter(open);
    mallory.toRouter({ ...open, connection: 2 });
    expect(await mallory.hear("credit")).toMatchObject({ connection: 2 });
    expect(handled).toBe(2);
  });

  test("a peer that opens without end is refused at the limit, until one of its Connections is over", async () => {
    using mallory = await rawLink(realm, "mallory");
    let handled = 0;
    bob.handle("counted", () => void handled++);
    const open = (connection: number): ControlFrame => openTo("bob", { connection, protocol: "counted", limit: 0 });
    const accepted = async (connection: number): Promise<void> => {
      while ((await mallory.hear("credit")).connection !== connection);
    };
    // Some at a time, since opens that wait to be accepted have a limit of their own.
    const atOnce = 500;
    for (let first = 1; first <= limits.maxConnectionsPerPeer; first += atOnce) {
      mallory.toRouter(...Array.from({ length: atOnce }, (_, at) => open(first + at)));
      await accepted(first + atOnce - 1);
    }
    mallory.toRouter(open(limits.maxConnectionsPerPeer + 1));
    const { from, ...refused } = await mallory.hear("reset");
    expect(refused).toMatchObject({ connection: limits.maxConnectionsPerPeer + 1, code: 107 });
    expect(handled).toBe(limits.maxConnectionsPerPeer);
    mallory.say(from, { kind: "reset", connection: openerBit + 1, code: 103, reason: "" });
    mallory.toRouter(open(limits.maxConnectionsPerPeer + 2));
    await accepted(limits.maxConnectionsPerPeer + 2);
  });

  test("a peer that sends more than one message with its open is reset before it is accepted", async () => {
    using mallory = await rawLink(realm, "mallory");
    const undecided = Promise.withResolvers<void>();
    bob.handle("undecided", () => undecided.promise);
    mallory.toRouter(
      openTo("bob", { protocol: "undecided", limit: 0, flags: dataFlags.last, first: new Uint8Array(10) }),
    );
    const { address } = await mallory.hear("routed");
    mallory.say(address, dataFrame(openerBit + 1, 26, new Uint8Array(10)));
    const reason = 'Frame "data" before the open is accepted';
    expect(await mallory.hear("reset")).toMatchObject({ code: 106, reason });
    undecided.resolve();
  });

  test("a peer that sends to random addresses reaches no link", async () => {
    using mallory = await rawLink(realm, "mallory");
    for (const address of [1, 2, 3, 99, 0xffff_ffff]) {
      mallory.say(address, dataFrame(1, 0, new Uint8Array([1])));
      expect(await mallory.hear("gone")).toMatchObject({ address, reason: 1 });
    }
  });
});

test("a malformed batch closes its sender's link, with the offset", async () => {
  using mallory = await rawLink(realm, "mallory");
  mallory.send(new Uint8Array([0, 0, 0, 0, 0, 0, 0, 9, 1]));
  expect(await mallory.closedByRouter()).toEqual({ code: 4501, reason: "Segment longer than its batch at byte 0" });
});
