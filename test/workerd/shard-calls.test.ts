import { goneReasons, subprotocols } from "@messagepasser/protocol";
import { describe, expect, test } from "vitest";
import { type Call, decodeAnswer, encodeCall } from "../../src/shards/call.ts";
import { segment } from "../support/batches.ts";
import { basic, newSession } from "../support/credentials.ts";
import { admin, Realm } from "./realm.ts";
import { ShardedRealm } from "./sharded-realm.ts";
import { upgrade } from "./upgrade.ts";

// Calls that no shard makes, or that come again. Only code of the router can call an object at all: what a client sends
// reaches an object as an upgrade that the Worker has written anew, and nothing that a client says chooses the object.

/** A call by which shard 0 would have shard 1 say something to a link. */
function sayingTo(address: number, peer = "mallory"): Call {
  const frame = { kind: "absent", session: newSession(), reason: goneReasons.lost, peer } as const;
  const items = [{ kind: "say", to: address, frame, who: undefined } as const];
  return { from: 0, shards: 2, number: 1, life: 5, seq: 1, isAgain: false, items };
}

async function answerOf(realm: ShardedRealm, bytes: Uint8Array): Promise<number> {
  return decodeAnswer(await realm.shard(1).takeCall(bytes));
}

describe("a call to a shard", () => {
  test.each<[string, (call: Call) => Uint8Array]>([
    ["of another version", (call) => encodeCall(call).with(0, 99)],
    ["that ends in the middle", (call) => encodeCall(call).slice(0, -1)],
    ["that is empty", () => new Uint8Array()],
    ["that says that it is of the shard itself", (call) => encodeCall({ ...call, from: 1 })],
    ["that says that it is of a shard that the realm doesn't have", (call) => encodeCall({ ...call, from: 2 })],
  ])("one %s is answered as unreadable, and does nothing", async (_, bytesOf) => {
    const realm = await ShardedRealm.of(2);
    using bob = await realm.join(realm.nameOn(1));
    expect(await answerOf(realm, bytesOf(sayingTo(await bob.ownAddress())))).toBe(0);
    await bob.expectNothing();
  });

  test("one that comes twice, or late, is carried out once", async () => {
    const realm = await ShardedRealm.of(2);
    using bob = await realm.join(realm.nameOn(1));
    const address = await bob.ownAddress();
    const [first, second] = [sayingTo(address, "first"), { ...sayingTo(address, "second"), seq: 2 }];
    for (const call of [first, first, { ...first, isAgain: true }, second])
      expect(await answerOf(realm, encodeCall(call))).toBe(1);
    // The first one is not the last one any more: the two shards give up all pairs, and with them all earlier calls.
    for (const call of [first, second]) expect(await answerOf(realm, encodeCall(call))).toBe(2);
    for (const peer of ["first", "second"]) expect(await bob.nextOf("absent")).toMatchObject({ peer });
    // Nothing else has come.
    expect(await bob.ownAddress()).toBe(address);
  });

  test("one to the only object of a realm is not carried out", async () => {
    const realm = new Realm();
    using bob = await realm.join("bob");
    const bytes = encodeCall({ ...sayingTo(await bob.ownAddress()), from: 1 });
    expect(decodeAnswer(await realm.stub.takeCall(bytes))).toBe(0);
    await bob.expectNothing();
  });
});

describe("a client", () => {
  test.each(["#1", "%231", "%23", "/1", "%2523"])("chooses no object by adding %j to its realm", async (suffix) => {
    const realm = await ShardedRealm.of(2);
    const name = realm.nameOn(0);
    const { secret } = await realm.add(name);
    const headers = { authorization: basic(name, secret), "sec-websocket-protocol": subprotocols.native };
    const response = await upgrade(`/connect/${realm.name}${suffix}`, headers);
    response.webSocket?.accept();
    response.webSocket?.close(1000);
    // What stands after a "#" is no part of what the Worker is asked for.
    if (suffix === "#1") expect(response.status).toBe(101);
    else expect([400, 404]).toContain(response.status);
    const path = `/realms/${realm.name}${suffix}/clients`;
    if (suffix !== "#1") expect([400, 404]).toContain((await admin(path)).status);
  });

  test("takes no other shard's place: what it writes into an address of another shard goes nowhere", async () => {
    const realm = await ShardedRealm.of(2);
    using alice = await realm.join(realm.nameOn(0));
    using bob = await realm.join(realm.nameOn(1));
    const address = await bob.ownAddress();
    alice.send(segment(address, Uint8Array.of(1)));
    expect(await alice.nextOf("gone")).toMatchObject({ address });
    await bob.expectNothing();
  });
});

test("only the home of a client lets it in, whatever number of shards the Worker counts", async () => {
  const realm = await ShardedRealm.of(2);
  const name = realm.nameOn(1);
  await realm.add(name);
  const admission = { realm: realm.name, name };
  for (const shards of [1, 2, 3, 64]) {
    expect(await realm.shard(0).wouldAdmit(admission, undefined, shards)).toEqual({ shards: 2 });
    expect(await realm.shard(1).wouldAdmit(admission, undefined, shards)).toBe(true);
  }
});
