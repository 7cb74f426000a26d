import { abortAllDurableObjects, evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { routerLimits } from "@messagepasser/protocol";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { Usage } from "@messagepasser/protocol/admin";
import { credentialKey } from "../../src/credentials/kv-records.ts";
import { UsageKeeper } from "../../src/realm/usage-keeper.ts";
import worker from "../../src/worker.ts";
import { admin, expectProblem, Realm } from "./realm.ts";
import { newSession } from "../support/credentials.ts";
import { type SegmentLink } from "../support/readings.ts";
import { pairUp } from "./pairs.ts";

const headerBytes = 8;

/** Makes a realm by one call of the admin API, and nothing else in it. */
async function makeRealm(realm: Realm): Promise<void> {
  expect((await admin(`/realms/${realm.name}/rules`, { method: "PUT", body: "" })).status).toBe(204);
}

async function usageOf(realm: Realm): Promise<Usage> {
  const response = await admin(`/realms/${realm.name}/usage`);
  expect(response.status).toBe(200);
  return response.json();
}

/** The difference of two reports, of which the second counts itself. */
function difference(before: Usage, after: Usage): Partial<Record<keyof Usage, number>> {
  const names = ["messagesIn", "bytesIn", "messagesOut", "bytesOut", "upgrades", "adminCalls", "wakes"] as const;
  return Object.fromEntries(names.map((name) => [name, after[name] - before[name]]));
}

/** Two clients that are paired. */
async function talkers(
  realm: Realm,
): Promise<{ alice: SegmentLink; bob: SegmentLink; toAlice: number; toBob: number }> {
  const alice = await realm.join("alice", newSession());
  const bob = await realm.join("bob", newSession());
  const { from, to } = await pairUp(alice, bob);
  return { alice, bob, toAlice: from, toBob: to };
}

/** Sends messages of some bytes in a segment of their own, each after the one before has arrived. */
async function say({ alice, bob, toBob }: Awaited<ReturnType<typeof talkers>>, count: number, bytes = 92) {
  for (let left = count; left > 0; left--) {
    alice.toPeer(toBob, new Uint8Array(bytes));
    expect((await bob.next()).kind).toBe("segment");
  }
}

describe("the usage of a realm", () => {
  test("a realm's usage counts everything in both directions exactly once", async () => {
    const realm = new Realm();
    await makeRealm(realm);
    const [first, second] = [await usageOf(realm), await usageOf(realm)];
    expect(first).toMatchObject({ messagesIn: 0, messagesOut: 0, upgrades: 0, adminCalls: 2, wakes: 1, alarms: 0 });
    expect(difference(first, second)).toMatchObject({ messagesIn: 0, adminCalls: 1, wakes: 0 });

    const talk = await talkers(realm);
    const joined = await usageOf(realm);
    // Two clients were added. One open came; two welcomes, "incoming" and "routed" went.
    expect(difference(second, joined)).toMatchObject({
      messagesIn: 1,
      messagesOut: 4,
      upgrades: 2,
      adminCalls: 3,
      wakes: 0,
    });
    // No more, since the router's clock, which is counted too, goes before some of many.
    await say(talk, 4);
    const talked = await usageOf(realm);
    expect(difference(joined, talked)).toEqual({
      messagesIn: 4,
      bytesIn: 4 * (headerBytes + 92),
      messagesOut: 4,
      bytesOut: 4 * (headerBytes + 92),
      upgrades: 0,
      adminCalls: 1,
      wakes: 0,
    });

    talk.bob.close(1000);
    await talk.bob.closed();
    expect(await talk.alice.next()).toMatchObject({ kind: "gone" });
    const left = await usageOf(realm);
    expect(difference(talked, left)).toMatchObject({ messagesIn: 0, messagesOut: 1, upgrades: 0, adminCalls: 1 });
    talk.alice.close();
  });

  test("a realm's usage loses nothing when the object sleeps after each message, and counts each wake", async () => {
    const realm = new Realm();
    const talk = await talkers(realm);
    const before = await usageOf(realm);
    for (let round = 0; round < 3; round++) {
      await evictDurableObject(realm.stub);
      await say(talk, 1);
      talk.bob.toPeer(talk.toAlice, new Uint8Array(4));
      expect((await talk.alice.next()).kind).toBe("segment");
    }
    await evictDurableObject(realm.stub);
    const after = await usageOf(realm);
    expect(difference(before, after)).toMatchObject({ messagesIn: 6, messagesOut: 6, adminCalls: 1, wakes: 4 });
    // Each wake counts for the ten seconds that the object stays in memory.
    expect(after.awakeMs - before.awakeMs).toBeGreaterThanOrEqual(4 * 10_000);
    expect(after.since).toBe(before.since);
    talk.alice.close();
    talk.bob.close();
  });

  test.each([1, 16, 100, 700])(
    "a realm's usage loses less than a sixteenth of the counts of one wake: %d messages",
    async (count) => {
      const realm = new Realm();
      const talk = await talkers(realm);
      const before = await usageOf(realm);
      await evictDurableObject(realm.stub);
      await say(talk, count);
      await evictDurableObject(realm.stub);
      const { messagesIn = 0, wakes } = difference(before, await usageOf(realm));
      expect(wakes).toBe(2);
      expect(messagesIn).toBeLessThanOrEqual(count);
      expect(messagesIn).toBeGreaterThan((count * 15) / 16 - 1);
      talk.alice.close();
      talk.bob.close();
    },
  );

  test("a realm's usage is kept by one link at a time while the object is awake", async () => {
    const realm = new Realm();
    const talk = await talkers(realm);
    const keepers = (): Promise<string[]> =>
      runInDurableObject(realm.stub, (_object, state) =>
        state
          .getWebSockets()
          .map((socket) => socket.deserializeAttachment() as { name: string; usage?: number[] })
          .filter(({ usage }) => usage !== undefined)
          .map(({ name }) => name),
      );
    await say(talk, 2);
    expect(await keepers()).toEqual(["alice"]);
    talk.bob.toPeer(talk.toAlice, new Uint8Array(4));
    expect((await talk.alice.next()).kind).toBe("segment");
    expect(await keepers()).toEqual(["bob"]);
    await evictDurableObject(realm.stub);
    expect((await usageOf(realm)).messagesIn).toBe(4);
    talk.alice.close();
    talk.bob.close();
  });

  test("a realm's usage is kept when clients leave, and when the object ends without having slept", async () => {
    const realm = new Realm();
    const talk = await talkers(realm);
    await say(talk, 5);
    const before = await usageOf(realm);
    talk.alice.close(1000);
    await talk.alice.closed();
    expect(await talk.bob.next()).toMatchObject({ kind: "gone" });
    talk.bob.close(1000);
    await talk.bob.closed();
    // Counts are stored at most once a second.
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + routerLimits.minMsBetweenUsageRows });
    await usageOf(realm);
    vi.useRealTimers();
    await abortAllDurableObjects();
    const after = await usageOf(realm);
    expect(difference(before, after)).toMatchObject({ messagesIn: 0, messagesOut: 1, upgrades: 0, wakes: 1 });
  });

  test("a realm's usage goes to storage with the 1,024th message, so that a restart loses no more", async () => {
    const realm = new Realm();
    const talk = await talkers(realm);
    await say(talk, 1_100);
    await abortAllDurableObjects();
    const { messagesIn } = await usageOf(realm);
    expect(messagesIn).toBeGreaterThanOrEqual(1_024);
    expect(messagesIn).toBeLessThan(1_100);
  });

  test("a realm's usage goes to storage after an hour, however few messages there were", async () => {
    const realm = new Realm();
    const talk = await talkers(realm);
    await say(talk, 2);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_600_001 });
    try {
      await say(talk, 1);
    } finally {
      vi.useRealTimers();
    }
    await abortAllDurableObjects();
    expect((await usageOf(realm)).messagesIn).toBeGreaterThanOrEqual(4);
  });

  test("a realm's usage has alarms, and upgrades that the object refuses", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    const body = JSON.stringify({ expiresAt: new Date(Date.now() + 3_600_000).toISOString() });
    expect((await admin(`${realm.clientPath("alice")}/rotate`, { method: "POST", body })).status).toBe(200);
    const before = await usageOf(realm);
    // An upgrade with a secret that the edge knows to be revoked doesn't reach the object.
    await expect(realm.link("alice", secret)).rejects.toThrow("401");
    await env.CREDENTIALS.delete(credentialKey(realm.name, "alice"));
    await expect(realm.link("alice", secret)).rejects.toThrow("401");
    expect(await runDurableObjectAlarm(realm.stub)).toBe(true);
    const after = await usageOf(realm);
    expect(difference(before, after)).toMatchObject({ upgrades: 1, messagesIn: 0, messagesOut: 0 });
    expect(after.alarms - before.alarms).toBe(1);
  });

  test("a realm's usage has the time that the object slept", async () => {
    const realm = new Realm();
    await makeRealm(realm);
    const before = await usageOf(realm);
    await evictDurableObject(realm.stub);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3_600_000 });
    try {
      const after = await usageOf(realm);
      // Of the hour, ten seconds belong to each of the two wakes.
      expect(after.asleepMs).toBeGreaterThan(3_600_000 - 2 * 10_000 - 1_000);
      expect(after.asleepMs).toBeLessThanOrEqual(3_600_000 - 2 * 10_000 + 1_000);
      expect(after.awakeMs - before.awakeMs).toBeLessThan(11_000);
    } finally {
      vi.useRealTimers();
    }
  });

  test("a realm's usage is readable by read-only tokens, of one realm, by GET", async () => {
    const realm = new Realm();
    const path = `/realms/${realm.name}/usage`;
    const { ROUTER, CREDENTIALS, MP_ADMIN_TOKEN, MP_PEPPER } = env;
    const ask = (token: string): Response | Promise<Response> =>
      worker.fetch(
        new Request(`https://router.test/admin/v1${path}`, { headers: { authorization: `Bearer ${token}` } }),
        { ROUTER, CREDENTIALS, MP_ADMIN_TOKEN, MP_PEPPER, MP_ADMIN_READ_TOKEN: "reads" },
      );
    expect((await ask("reads")).status).toBe(200);
    await expectProblem(await ask("wrong"), 401, "unauthorized");
    await expectProblem(await admin(path, { headers: {} }), 401, "unauthorized");
    await expectProblem(await admin(path, { method: "POST" }), 404, "not-found");
    await expectProblem(await admin("/realms/no%20realm/usage"), 400, "bad-request");
    await realm.add("alice");
    // The two calls before that made no realm, and asked none.
    expect((await usageOf(realm)).adminCalls).toBe(2);
    expect((await usageOf(new Realm())).adminCalls).toBe(0);
  });
});

test("a realm's usage costs at most a row a second, however many clients are refused or leave, and whatever is asked", () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  onTestFinished(() => void vi.useRealTimers());
  const puts: (readonly number[])[] = [];
  const storage = {
    kv: { get: () => undefined },
    put: (_key: string, sums: readonly number[]) => {
      puts.push(sums);
      return Promise.resolve();
    },
  };
  // The keeper asks its storage for nothing else.
  const keeper = new UsageKeeper(storage as unknown as DurableObjectStorage);
  for (let at = 0; at < 5_000; at++) {
    vi.advanceTimersByTime(1);
    keeper.counters.addCall(at % 2 === 0 ? "upgrades" : "adminCalls");
    keeper.keepIfDue();
  }
  expect(puts.length).toBeLessThanOrEqual(6);
  // The last second is only in memory, until something else happens.
  vi.advanceTimersByTime(1_000);
  keeper.keepIfDue();
  expect(keeper.report([])).toMatchObject({ upgrades: 2_500, adminCalls: 2_500 });
});
