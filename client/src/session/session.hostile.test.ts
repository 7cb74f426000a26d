import { clientLimits, encodeBatch, limits, openerBit, routerAddress } from "@messagepasser/protocol";
import { beforeEach, expect, test } from "vitest";
import { clientOf, ScriptedRouter, sessionOf } from "../../../test/support/scripted-router.ts";
import { LinkError } from "../errors.ts";

// A session whose router is hostile, or passes on what a hostile peer does.

let router: ScriptedRouter;

beforeEach(async () => {
  router = await ScriptedRouter.start();
});

test("a router that allows 4 GiB of windows gets no more granted than any router has room for", async () => {
  router.say(routerAddress, { kind: "mark", token: 1, budget: 2 ** 32 - 1 });
  const count = 200;
  for (let connection = 1; connection <= count; connection++) router.open(1, connection);
  await router.turn();
  router.acceptAll();
  await Promise.resolve();
  const granted = (await router.turn()).map(({ frame }) => (frame.kind === "credit" ? frame.limit : Number.NaN));
  const smallest = granted.filter((limit) => limit === limits.minWindowBytes);
  expect(smallest.length).toBeGreaterThan(100);
  expect(granted.reduce((sum, limit) => sum + limit, 0)).toBeLessThan(
    limits.maxBudgetBytes + count * limits.minWindowBytes,
  );
});

test("a peer that fills as many windows as it gets leaves another one its whole first window", async () => {
  for (let connection = 1; connection <= 100; connection++) router.open(1, connection);
  await router.turn();
  router.acceptAll();
  await router.turn();
  router.open(2, 1);
  await router.turn();
  router.acceptAll();
  await Promise.resolve();
  const credits = (await router.turn()).map(({ address, frame }) => ({ address, ...frame }));
  expect(credits).toMatchObject([{ address: 2, kind: "credit", limit: limits.firstWindowBytes }]);
});

test("a list of sessions without an end ends with an error", async () => {
  const outcomes: unknown[] = [];
  clientOf(router)
    .peers()
    .then(
      () => outcomes.push("an end"),
      (error: unknown) => outcomes.push(error),
    );
  await router.turn();
  const session = sessionOf(1);
  for (let count = 0; count <= clientLimits.maxListedSessions; count++) {
    const named = { session, name: `name ${count}`, instance: "", sinceMs: 0, services: [] };
    router.say(routerAddress, { kind: "present", request: 1, ...named });
  }
  for (let hop = 0; hop < 9; hop++) await Promise.resolve();
  expect(outcomes).toEqual([expect.any(LinkError)]);
  expect(outcomes).toMatchObject([{ code: "malformed" }]);
});

test("a router that announces peers without end doesn't make a client remember them all", async () => {
  router.open(1, 1);
  await router.turn();
  router.acceptAll();
  await router.turn();
  const count = 3 * limits.maxRememberedSessions;
  for (let peer = 2; peer < count; peer++)
    router.say(routerAddress, { kind: "paired", address: peer, session: sessionOf(peer), peer: "x" });
  const unknown = { kind: "fin", connection: 7, offset: 0 } as const;
  // Each that is remembered is answered that it talks of nothing.
  for (let peer = 2; peer < count; peer++) router.sends(encodeBatch(peer, unknown));
  expect((await router.turn()).length).toBeLessThanOrEqual(limits.maxRememberedSessions);
  // The one with a Connection goes on.
  router.say(
    1,
    { kind: "stop", connection: (1 | openerBit) >>> 0 },
    { kind: "fin", connection: (1 | openerBit) >>> 0, offset: 0 },
  );
  expect((await router.turn()).map(({ frame }) => frame.kind)).toEqual(["done"]);
});

test("a peer that is paired again and again causes few questions about what it may do, and all are asked in the end", async () => {
  const protocols = 500;
  for (let connection = 1; connection <= protocols; connection++)
    router.open(1, connection, undefined, `p${connection}`);
  router.open(2, 1, undefined, "honest");
  await router.turn();
  const asked = new Set<string>();
  let count = 0;
  const hear = (): void => {
    for (const frame of router.said.splice(0)) {
      if (frame.kind !== "check") continue;
      asked.add(frame.protocol);
      count++;
    }
  };
  for (let second = 0; second < 20; second++) {
    for (let again = 0; again < 100; again++) router.say(routerAddress, { kind: "rulesChanged", address: 1 });
    if (second === 0) router.say(routerAddress, { kind: "rulesChanged", address: 2 });
    await router.turn();
    hear();
    // Not held up by the other one.
    expect(asked.has("honest")).toBe(true);
    await router.advance(1_000);
    hear();
  }
  expect(asked.size).toBe(protocols + 1);
  expect(count).toBeLessThan(limits.maxOpensPerSecond * 2);
});

test("peers of many names that are paired again and again together leave most of the rate of opens free", async () => {
  for (let peer = 1; peer <= 100; peer++)
    for (let connection = 1; connection <= 10; connection++) router.open(peer, connection, undefined, `p${connection}`);
  await router.turn();
  let most = 0;
  for (let second = 0; second < 10; second++) {
    for (let peer = 1; peer <= 100; peer++) router.say(routerAddress, { kind: "rulesChanged", address: peer });
    await router.turn();
    await router.advance(1_000);
    const checks = router.said.splice(0).filter(({ kind }) => kind === "check").length;
    most = Math.max(most, second === 0 ? 0 : checks);
  }
  expect(most).toBeLessThanOrEqual(limits.maxOpensPerSecond / 4);
});
