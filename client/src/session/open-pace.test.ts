import { clientLimits, errorCodes, limits } from "@messagepasser/protocol";
import { beforeEach, describe, expect, test } from "vitest";
import { ScriptedRouter, sessionOf } from "../../../test/support/scripted-router.ts";
import type { Channel } from "../connection/channel.ts";
import type { ConnectionError } from "../errors.ts";

// Opens of a session whose router is played.

let router: ScriptedRouter;

beforeEach(async () => {
  router = await ScriptedRouter.start();
});

function openMany(count: number, peer = "peer-1", first?: Uint8Array): Channel[] {
  return Array.from({ length: count }, () => router.session.open(peer, "p", { first }));
}

/** The opens that left since the last call. */
async function left(): Promise<number[]> {
  await router.turn();
  return router.said.splice(0).flatMap((frame) => (frame.kind === "open" ? frame.connection : []));
}

/** Passes opens on to a peer, which accepts them. */
function accept(connections: readonly number[], peer = 1): void {
  for (const connection of connections) {
    router.say(0, { kind: "routed", connection, address: peer, session: sessionOf(peer), peer: `peer-${peer}` });
    router.say(peer, { kind: "credit", connection, received: 0, limit: 0 });
  }
}

describe("a burst of opens", () => {
  test("a burst of opens to one peer leaves as fast as the peer decides, and is never more than the peer holds", async () => {
    const channels = openMany(2_000);
    let most = 0;
    for (let total = 0; total < 2_000;) {
      const connections = await left();
      most = Math.max(most, connections.length);
      expect(connections).not.toEqual([]);
      total += connections.length;
      accept(connections);
      await router.turn();
    }
    expect(most).toBeLessThanOrEqual(limits.maxPendingOpens / 2);
    await Promise.all(channels.map(({ accepted }) => accepted));
  });

  test("a burst of opens with first messages never carries more than the peer holds of them", async () => {
    const first = new Uint8Array(limits.maxPayloadBytes);
    openMany(100, "peer-1", first);
    const connections = await left();
    expect(connections.length * first.length).toBeLessThanOrEqual(limits.maxPendingFirstBytes / 2);
    const metadata = { key: "x".repeat(4_000) };
    for (let count = 0; count < 1_000; count++) router.session.open("peer-3", "p", { metadata });
    expect((await left()).length * 4_000).toBeLessThanOrEqual(limits.maxPendingFirstBytes / 2);
    // Another peer holds its own.
    openMany(1, "peer-2", first);
    expect(await left()).toHaveLength(1);
    accept(connections);
    expect(await left()).toHaveLength(connections.length);
  });

  test("a burst of opens to many peers stays below the rate that the router allows", async () => {
    for (let peer = 1; peer <= 30; peer++) openMany(clientLimits.maxUndecidedOpens, `peer-${peer}`);
    const atOnce = (await left()).length;
    expect(atOnce).toBe(clientLimits.maxOpensInBurst);
    await router.advance(1_000);
    const inSecond = (await left()).length;
    expect(inSecond).toBeGreaterThan(limits.maxOpensPerSecond / 2);
    expect(inSecond).toBeLessThanOrEqual(limits.maxOpensPerSecond);
    await router.advance(20_000);
    await left();
    openMany(1, "peer-99");
    expect(await left()).toHaveLength(1);
  });

  test("a burst of opens that nobody serves stays below the rate, though each is sent twice", async () => {
    const outcomes = Array.from({ length: 5_200 }, (_, at) => {
      const channel = router.session.open(`peer-${at % 100}`, "p");
      return channel.accepted.then(
        () => "accepted",
        (error: unknown) => (error as ConnectionError).code,
      );
    });
    const stepMs = 50;
    let sent = 0;
    for (let passedMs = 0; sent < 10_400; passedMs += stepMs) {
      for (let connections = await left(); connections.length > 0; connections = await left()) {
        sent += connections.length;
        for (const connection of connections)
          router.say(0, { kind: "refused", connection, code: errorCodes.unknownProtocol, reason: "nobody" });
      }
      expect(sent).toBeLessThanOrEqual(limits.maxOpensAtOnce + (limits.maxOpensPerSecond * passedMs) / 1_000);
      await router.advance(stepMs);
    }
    expect(new Set(await Promise.all(outcomes))).toEqual(new Set(["unknown-protocol"]));
  });

  test("opens that wait for their turn survive a lost link, and those given up meanwhile never leave", async () => {
    const channels = openMany(1_000);
    await left();
    router.loseLink();
    const givenUp = channels.slice(600, 700);
    for (const channel of givenUp) {
      channel.accepted.catch(() => undefined);
      channel.reset(104, "", channel.error("open-timed-out", "no answer"));
    }
    router.restoreLink();
    const seen = new Set<number>();
    for (let connections = await left(); connections.length > 0; connections = await left()) {
      for (const connection of connections) seen.add(connection);
      accept(connections);
      await router.turn();
    }
    expect(seen.size).toBe(900);
    for (const { key } of givenUp) expect(seen.has(key)).toBe(false);
  });
});

describe("an open to a peer that is absent", () => {
  const absent = (connection: number): void => {
    router.say(0, { kind: "refused", connection, code: 1, reason: "Nobody of that name is there" });
  };
  const outcomeOf = (channel: Channel): { error?: unknown; isOpen?: boolean } => {
    const outcome: { error?: unknown; isOpen?: boolean } = {};
    channel.accepted.then(
      () => (outcome.isOpen = true),
      (error: unknown) => (outcome.error = error),
    );
    return outcome;
  };

  const present = (name: string): void => {
    const of = { session: sessionOf(1), name, instance: "", sinceMs: 0, services: [] };
    router.say(0, { kind: "present", request: 1, ...of });
  };

  test("an open that waits is sent again when the router tells that the peer is there, and not before", async () => {
    const channel = router.session.open("peer-1", "p", { waitMs: 600_000 });
    const outcome = outcomeOf(channel);
    expect(await left()).toEqual([channel.key]);
    absent(channel.key);
    await router.advance(300_000);
    present("another");
    await router.advance(1_000);
    expect(await left()).toEqual([]);
    present("peer-1");
    await router.advance(0);
    accept(await left());
    await router.turn();
    expect(outcome).toEqual({ isOpen: true });
    await router.turn();
    expect(router.said.splice(0)).toMatchObject([{ kind: "unwatch", request: 1 }]);
  });

  test("an open that waits for a peer that comes and goes is sent again each time that it comes", async () => {
    const channel = router.session.open("peer-1", "p", { waitMs: 600_000 });
    const outcome = outcomeOf(channel);
    await left();
    absent(channel.key);
    await router.advance(1_000);
    for (let round = 0; round < 5; round++) {
      present("peer-1");
      await router.advance(0);
      expect(await left()).toEqual([channel.key]);
      // It was there for a moment only.
      router.say(0, { kind: "left", request: 1, session: sessionOf(1), name: "peer-1" });
      absent(channel.key);
      await router.advance(10_000);
      expect(await left()).toEqual([]);
    }
    expect(outcome).toEqual({});
  });

  test("an open that waits for a peer that is told as there, and isn't found, asks again with pauses", async () => {
    const channel = router.session.open("peer-1", "p", { waitMs: 600_000 });
    const outcome = outcomeOf(channel);
    await left();
    absent(channel.key);
    present("peer-1");
    for (let asked = 0; asked < 10; asked++) {
      // The longest pause.
      await router.advance(clientLimits.maxResumeRetryMs / 2);
      expect(await left()).toEqual([channel.key]);
      absent(channel.key);
    }
    accept([channel.key]);
    await router.turn();
    expect(outcome).toEqual({ isOpen: true });
  });

  test("opens that wait for more peers than a client can watch ask again with pauses", async () => {
    const count = 2 * limits.maxWatches;
    for (let at = 0; at < count; at++) router.session.open(`peer-${at}`, "p", { waitMs: 600_000 });
    const connections = await left();
    expect(connections).toHaveLength(count);
    for (const connection of connections) absent(connection);
    await router.advance(clientLimits.maxResumeRetryMs / 2);
    expect(await left()).toHaveLength(count - clientLimits.maxSoughtNames);
    expect(() => router.session.watches.read("*")).not.toThrow();
  });

  test("an open that waits fails with the router's answer once its time is over, and not before", async () => {
    const channel = router.session.open("peer-1", "p", { waitMs: 5_000 });
    const outcome = outcomeOf(channel);
    for (let atMs = 0; atMs < 4_900; atMs += 100) {
      if ((await left()).length > 0) absent(channel.key);
      await router.advance(100);
      expect(outcome).toEqual({});
    }
    for (let atMs = 0; atMs < 300; atMs += 100) {
      if ((await left()).length > 0) absent(channel.key);
      await router.advance(100);
    }
    expect(outcome.error).toMatchObject({ code: "peer-absent" });
  });

  test("an open that doesn't wait fails at once", async () => {
    const channel = router.session.open("peer-1", "p");
    const outcome = outcomeOf(channel);
    await left();
    absent(channel.key);
    await router.turn();
    expect(outcome.error).toMatchObject({ code: "peer-absent" });
  });
});
