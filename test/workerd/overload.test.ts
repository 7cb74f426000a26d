import { runInDurableObject } from "cloudflare:test";
import { closeCodes, routerLimits, subprotocols } from "@messagepasser/protocol";
import { env } from "cloudflare:workers";
import { expect, onTestFinished, test, vi } from "vitest";
import type { Env } from "../../src/env.ts";
import { SocketLink } from "../../src/realm/socket-link.ts";
import type { RouterObject } from "../../src/router-object.ts";
import worker from "../../src/worker.ts";
import { basic, newSession } from "../support/credentials.ts";
import type { SegmentLink } from "../support/readings.ts";
import { expectTalk, pairUp } from "./pairs.ts";
import { expectProblem, Realm } from "./realm.ts";
import { ShardedRealm } from "./sharded-realm.ts";
import { upgrade } from "./upgrade.ts";

const { lateMs, lateTimersBeforeRefusals, lateTimersBeforeShedding, overloadedRetryS, timedEvents, timeEveryMs } =
  routerLimits;

/** The answer of a realm to a client that comes, and to a page that asks for a ticket. */
async function answersTo(realm: Realm, name: string, secret: string): Promise<Response[]> {
  const authorization = basic(name, secret);
  const asked = new Request(`https://router.test/ticket/${realm.name}`, { method: "POST", headers: { authorization } });
  return [
    await upgrade(`/connect/${realm.name}?session=${newSession()}`, { authorization }),
    await worker.fetch(asked, env),
  ];
}

async function expectOverloaded(response: Response | undefined): Promise<void> {
  if (response === undefined) throw new Error("There is no answer");
  expect(response.headers.get("retry-after")).toBe(String(overloadedRetryS));
  expect(await expectProblem(response, 503, "restarting")).toContain("too much to do");
}

/** Time that a test lets pass: the timers of an object go off when it says, and as late as it says. */
function takeTime(object: DurableObjectStub<RouterObject>): { pass(lateByMs: number): Promise<void> } {
  let aheadMs = 0;
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  const { now } = Date;
  const clock = vi.spyOn(Date, "now").mockImplementation(() => now() + aheadMs);
  onTestFinished(() => {
    clock.mockRestore();
    vi.useRealTimers();
  });
  return {
    pass: async (lateByMs) => {
      aheadMs += timeEveryMs + lateByMs;
      await runInDurableObject(object, () => vi.advanceTimersByTime(timeEveryMs));
    },
  };
}

/** Sends so much that the object looks at its load, and waits until all of it was routed. */
async function keepBusy(link: SegmentLink): Promise<void> {
  for (let count = 0; count < timedEvents; count++) link.send(new Uint8Array());
  expect(await link.outcome()).toBe("open");
}

test("a shard whose timers are late refuses new links for half a minute, then ends its newest busy links, and no other shard notices", async () => {
  const realm = await ShardedRealm.of(2);
  const [firstName, lateName] = [realm.nameOn(1, "first"), realm.nameOn(1, "late")];
  const idle = await realm.join(realm.nameOn(1, "idle"));
  const first = await realm.join(firstName);
  const newest = await realm.join(realm.nameOn(1, "newest"));
  const [alice, bob] = [await realm.join(realm.nameOn(0, "alice")), await realm.join(realm.nameOn(0, "bob"))];
  const { secret } = await realm.add(lateName);
  const time = takeTime(realm.shard(1));
  await keepBusy(first);
  await keepBusy(newest);
  for (let late = 0; late < lateTimersBeforeRefusals; late++) await time.pass(lateMs);
  for (const response of await answersTo(realm, lateName, secret)) await expectOverloaded(response);
  await keepBusy(first);
  await keepBusy(newest);
  for (let late = lateTimersBeforeRefusals; late < lateTimersBeforeShedding; late++) await time.pass(lateMs);
  vi.useRealTimers();
  expect(await newest.closedByRouter()).toMatchObject({ code: closeCodes.overloaded });
  expect(newest.announcedDelayMs).toBe(1_000 * overloadedRetryS);
  for (const response of await answersTo(realm, lateName, secret)) await expectOverloaded(response);
  // On the other shard clients come in and talk.
  const carol = await realm.join(realm.nameOn(0, "carol"));
  for (const link of [idle, first, alice, bob, carol]) expect(await link.outcome()).toBe("open");
  await expectTalk(alice, bob, await pairUp(alice, bob));
});

test("a client for whose object too much waits, as the platform says, is asked to come back within half a minute", async () => {
  const realm = new Realm();
  const { secret } = await realm.add("alice");
  const logged = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  onTestFinished(() => logged.mockRestore());
  const fail = (): Promise<never> =>
    Promise.reject(Object.assign(new Error("Too many requests queued"), { overloaded: true }));
  const ROUTER = { getByName: () => ({ fetch: fail, wouldAdmit: fail }) } as unknown as Env["ROUTER"];
  const headers = {
    upgrade: "websocket",
    "sec-websocket-protocol": subprotocols.native,
    authorization: basic("alice", secret),
  };
  for (const [path, method] of [
    ["connect", "GET"],
    ["ticket", "POST"],
  ] as const) {
    const request = new Request(`https://router.test/${path}/${realm.name}`, { method, headers });
    await expectOverloaded(await worker.fetch(request, { ...env, ROUTER }));
  }
});

test("a client that comes to an object with as many sockets as the runtime allows is asked to come back, and no other notices", async () => {
  const realm = new Realm();
  const alice = await realm.join("alice");
  const { secret } = await realm.add("bob");
  const logged = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const accept = vi.spyOn(SocketLink.prototype, "accept").mockImplementation(() => {
    throw new Error("The object has 32768 sockets");
  });
  onTestFinished(() => {
    logged.mockRestore();
    accept.mockRestore();
  });
  const authorization = basic("bob", secret);
  await expectOverloaded(await upgrade(`/connect/${realm.name}?session=${newSession()}`, { authorization }));
  expect(await alice.outcome()).toBe("open");
  alice.toRouter({ kind: "list", request: 1, cursor: "" });
  expect(await alice.nextOf("peers")).toMatchObject({ names: ["alice"] });
  accept.mockRestore();
  const bob = await realm.link("bob", secret);
  await expectTalk(alice, bob, await pairUp(alice, bob));
});
