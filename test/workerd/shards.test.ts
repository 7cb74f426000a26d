import { exports } from "cloudflare:workers";
import { evictDurableObject, runDurableObjectAlarm } from "cloudflare:test";
import { closeCodes, routerLimits } from "@messagepasser/protocol";
import type { Usage } from "@messagepasser/protocol/admin";
import { describe, expect, test, vi } from "vitest";
import { callsUrl } from "../../src/realm/call-socket.ts";
import { encodeCall } from "../../src/shards/call.ts";
import { basic } from "../support/credentials.ts";
import type { SegmentLink } from "../support/readings.ts";
import { expectTalk, type Pair, pairAgain, pairUp } from "./pairs.ts";
import { admin, expectProblem } from "./realm.ts";
import { ShardedRealm } from "./sharded-realm.ts";
import { socketOf, upgrade } from "./upgrade.ts";

/** Has two links of different shards talk until calls between these go over WebSockets both ways. */
async function becomeBusy(realm: ShardedRealm, from: SegmentLink, to: SegmentLink, pair: Pair): Promise<void> {
  // All this happens in less than a second, however slow the machine is.
  const clock = vi.spyOn(Date, "now").mockReturnValue(Date.now());
  for (let count = 0; count < routerLimits.maxRpcCallsPerSecond; count++) await expectTalk(from, to, pair);
  clock.mockRestore();
  const callMessages = async (): Promise<number> => {
    await expectTalk(from, to, pair);
    return (await (await admin(`/realms/${realm.name}/usage`)).json<Usage>()).callMessages;
  };
  await expect.poll(callMessages).toBeGreaterThan(2);
}

describe("a realm of four shards", () => {
  const count = 4;

  test("clients of different shards open to each other and talk both ways", async () => {
    const realm = await ShardedRealm.of(count);
    const alice = await realm.join(realm.nameOn(0));
    const bob = await realm.join(realm.nameOn(count - 1));
    const pair = await pairUp(alice, bob);
    await expectTalk(alice, bob, pair);
    const back = await pairUp(bob, alice);
    await expectTalk(bob, alice, back);
  });

  test("clients of one shard talk as in any realm", async () => {
    const realm = await ShardedRealm.of(count);
    const alice = await realm.join(realm.nameOn(1));
    const bob = await realm.join(realm.nameOn(1, "other"));
    await expectTalk(alice, bob, await pairUp(alice, bob));
  });

  test("a peer of another shard hears that a link is gone, and the two resume", async () => {
    const realm = await ShardedRealm.of(count);
    const alice = await realm.join(realm.nameOn(0));
    const name = realm.nameOn(1);
    const { secret } = await realm.add(name);
    const bob = await realm.link(name, secret);
    const { to } = await pairUp(alice, bob);
    bob.close();
    expect(await alice.nextOf("gone")).toMatchObject({ address: to });
    const again = await realm.link(name, secret, bob.session);
    const pair = await pairAgain(alice, again);
    await expectTalk(alice, again, pair);
  });

  test("two links still talk after both their objects slept", async () => {
    const realm = await ShardedRealm.of(count);
    const alice = await realm.join(realm.nameOn(0));
    const bob = await realm.join(realm.nameOn(1));
    const pair = await pairUp(alice, bob);
    await expectTalk(alice, bob, pair);
    for (const shard of [0, 1]) await evictDurableObject(realm.shard(shard), { webSockets: "hibernate" });
    await expectTalk(alice, bob, pair);
    await evictDurableObject(realm.shard(0), { webSockets: "hibernate" });
    await expectTalk(bob, alice, { from: pair.to, to: pair.from });
  });

  test("a peer hears that a link is gone whose object was reset", async () => {
    const realm = await ShardedRealm.of(count);
    const alice = await realm.join(realm.nameOn(0));
    const name = realm.nameOn(1);
    const { secret } = await realm.add(name);
    const bob = await realm.link(name, secret);
    const { to } = await pairUp(alice, bob);
    await evictDurableObject(realm.shard(1), { webSockets: "close" });
    const again = await realm.link(name, secret, bob.session);
    expect(await alice.nextOf("gone")).toMatchObject({ address: to });
    await expectTalk(alice, again, await pairAgain(alice, again));
  });

  test("an alarm finds out that a shard was reset which nobody wakes", async () => {
    const realm = await ShardedRealm.of(count);
    const alice = await realm.join(realm.nameOn(0));
    const bob = await realm.join(realm.nameOn(1));
    const { to } = await pairUp(alice, bob);
    await evictDurableObject(realm.shard(1), { webSockets: "close" });
    await evictDurableObject(realm.shard(0), { webSockets: "hibernate" });
    expect(await runDurableObjectAlarm(realm.shard(0))).toBe(true);
    expect(await alice.nextOf("gone")).toMatchObject({ address: to });
  });

  test("a watch tells of the sessions of all shards, and of those that come and leave", async () => {
    const realm = await ShardedRealm.of(count);
    const names = Array.from({ length: count }, (_, shard) => realm.nameOn(shard)).sort();
    const links: SegmentLink[] = [];
    for (const name of names) links.push(await realm.join(name));
    const [watcher] = links;
    watcher?.toRouter({ kind: "watch", request: 3, pattern: "client*" });
    expect(await watcher?.nextOf("snapshot")).toMatchObject({ request: 3, complete: 0 });
    const told = new Set<string | undefined>();
    for (const _ of names) told.add((await watcher?.nextOf("present"))?.name);
    expect(told).toEqual(new Set(names));
    expect(await watcher?.nextOf("snapshot")).toMatchObject({ request: 3, complete: 1 });
    for (let shard = 0; shard < count; shard++)
      await evictDurableObject(realm.shard(shard), { webSockets: "hibernate" });
    const late = await realm.join(realm.nameOn(1, "client-late"));
    expect(await watcher?.nextOf("present")).toMatchObject({ request: 3, name: late.name });
    late.close();
    expect(await watcher?.nextOf("left")).toMatchObject({ request: 3, name: late.name });
  });

  test("a watch of one name tells when that client comes to its shard", async () => {
    const realm = await ShardedRealm.of(count);
    const watcher = await realm.join(realm.nameOn(0));
    const name = realm.nameOn(1);
    watcher.toRouter({ kind: "watch", request: 1, pattern: name });
    await watcher.nextOf("snapshot");
    expect(await watcher.nextOf("snapshot")).toMatchObject({ complete: 1 });
    await realm.join(name);
    expect(await watcher.nextOf("present")).toMatchObject({ request: 1, name });
  });

  test("a watch goes on after another shard was reset", async () => {
    const realm = await ShardedRealm.of(count);
    const watcher = await realm.join(realm.nameOn(0));
    const name = realm.nameOn(1);
    const { secret } = await realm.add(name);
    const bob = await realm.link(name, secret);
    watcher.toRouter({ kind: "watch", request: 1, pattern: "*" });
    const nextComplete = async (): Promise<void> => {
      for (;;) {
        const item = await watcher.next();
        if (item.kind === "snapshot" && item.complete === 1) return;
      }
    };
    await nextComplete();
    await evictDurableObject(realm.shard(1), { webSockets: "close" });
    await realm.link(name, secret, bob.session);
    await nextComplete();
    await realm.join(realm.nameOn(1, "third"));
    expect(await watcher.nextOf("present")).toMatchObject({ name: realm.nameOn(1, "third") });
  });

  test("a list has the names of all shards", async () => {
    const realm = await ShardedRealm.of(count);
    const names = Array.from({ length: count }, (_, shard) => realm.nameOn(shard)).sort();
    const links = [];
    for (const name of names) links.push(await realm.join(name));
    links[0]?.toRouter({ kind: "list", request: 7, cursor: "" });
    expect(await links[0]?.nextOf("peers")).toMatchObject({ request: 7, cursor: "", names });
  });
});

describe("calls over WebSockets", () => {
  test("a peer of another shard hears that a link is gone, and the two resume, while calls go over WebSockets", async () => {
    const { realm, alice, bob, pair } = await busyPair();
    bob.close();
    expect(await alice.nextOf("gone")).toMatchObject({ address: pair.to });
    const again = await realm.link(bob.name, realm.bobsSecret, bob.session);
    await expectTalk(alice, again, await pairAgain(alice, again));
  });

  test("a peer hears that a link is gone whose object was reset while calls went over WebSockets", async () => {
    const { realm, alice, bob, pair } = await busyPair();
    await evictDurableObject(realm.shard(1), { webSockets: "close" });
    const again = await realm.link(bob.name, realm.bobsSecret, bob.session);
    expect(await alice.nextOf("gone")).toMatchObject({ address: pair.to });
    await expectTalk(alice, again, await pairAgain(alice, again));
  });

  test("two links still talk after their objects lost the WebSockets between them and slept", async () => {
    const { realm, alice, bob, pair } = await busyPair();
    for (const shard of [0, 1]) {
      await evictDurableObject(realm.shard(shard), { webSockets: "hibernate" });
      await expectTalk(alice, bob, pair);
      await expectTalk(bob, alice, { from: pair.to, to: pair.from });
    }
  });
});

/** Two paired links of different shards, whose calls go over WebSockets. */
async function busyPair() {
  const realm = Object.assign(await ShardedRealm.of(2), { bobsSecret: "" });
  const alice = await realm.join(realm.nameOn(0));
  const name = realm.nameOn(1);
  realm.bobsSecret = (await realm.add(name)).secret;
  const bob = await realm.link(name, realm.bobsSecret);
  const pair = await pairUp(alice, bob);
  await becomeBusy(realm, alice, bob, pair);
  return { realm, alice, bob, pair };
}

test("no request of a client reaches the address at which objects take each other's calls", async () => {
  const realm = await ShardedRealm.of(2);
  const name = realm.nameOn(1);
  const { secret } = await realm.add(name);
  const headers = { upgrade: "websocket", authorization: basic(name, secret) };
  const forged = {
    ...headers,
    "mp-admission": "%7B%7D",
    host: "router.internal",
    "x-forwarded-host": "router.internal",
  };
  for (const url of [callsUrl, "https://router.test/calls", `https://router.test/connect/${realm.name}/../../calls`]) {
    await expectProblem(await exports.default.fetch(url, { headers }), 404, "not-found");
    await expectProblem(await exports.default.fetch(url, { headers: forged }), 404, "not-found");
  }
  // Where a client is let in, what it sends is read as a client's.
  const socket = await socketOf(
    await upgrade(`/connect/${realm.name}?url=${encodeURIComponent(callsUrl)}`, { ...forged, "mp-admission": "" }),
  );
  const closed = new Promise<CloseEvent>((resolve) => {
    socket.addEventListener("close", resolve);
  });
  socket.accept();
  socket.send(encodeCall({ from: 0, shards: 2, number: 99, life: 1, seq: 1, isAgain: false, items: [] }));
  expect((await closed).code).toBe(closeCodes.malformed);
});
