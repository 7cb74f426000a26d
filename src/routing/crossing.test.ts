import { closeCodes, encodeBatch, errorCodes, goneReasons, limits, routerLimits } from "@messagepasser/protocol";
import { msgpack } from "@messagepasser/protocol/formats";
import { describe, expect, test } from "vitest";
import { batchOf, openTo, toRouter } from "../../test/support/batches.ts";
import type { FakeLink, FakeLinkOptions } from "../../test/support/routing-fakes.ts";
import { FakeShards } from "../../test/support/shard-fakes.ts";
import { Rules } from "./rules.ts";

/** A client on each of two shards. */
function twoOf(
  options: { readonly alice?: FakeLinkOptions; readonly bob?: FakeLinkOptions; readonly capacity?: number } = {},
): { shards: FakeShards; alice: FakeLink; bob: FakeLink } {
  const shards = new FakeShards(2, options.capacity);
  return { shards, alice: shards.join(0, "alice", options.alice), bob: shards.join(1, "bob", options.bob) };
}

/** The same, paired. */
function pairOf(options?: Parameters<typeof twoOf>[0]): ReturnType<typeof twoOf> {
  const two = twoOf(options);
  two.shards.pair(two.alice, two.bob);
  return two;
}

describe("opens and resumes between shards", () => {
  test("an open reaches a peer of another shard, and each client is told the other's address", () => {
    const { shards, alice, bob } = twoOf();
    shards.open(alice, bob, { first: Uint8Array.of(1, 2) });
    const { address, session, name: peer } = alice;
    expect(bob.take()).toMatchObject([{ kind: "open", peer, address, session, first: Uint8Array.of(1, 2) }]);
    expect(alice.take()).toEqual([
      { kind: "routed", connection: 1, address: bob.address, session: bob.session, peer: bob.name },
    ]);
  });

  test("an open to nobody of another shard is refused by that shard", () => {
    const { shards, alice } = twoOf();
    shards.send(alice, toRouter(openTo(shards.nameOn(1, "nobody"))));
    expect(alice.take()).toMatchObject([{ kind: "refused", code: errorCodes.peerAbsent }]);
  });

  test("the rules are checked before the other shard is asked", () => {
    const { shards, alice, bob } = twoOf();
    shards.changeRules("default closed");
    shards.of(alice).routing.receive(alice, toRouter(openTo(bob.name)));
    expect(shards.calls).toEqual([]);
    expect(alice.take()).toMatchObject([{ kind: "refused", code: errorCodes.notAllowed }]);
  });

  test("a resume pairs two links of different shards again, and one of another session doesn't", () => {
    const { shards, alice, bob } = twoOf();
    shards.send(alice, toRouter({ kind: "resume", session: bob.session, peer: bob.name }));
    expect(bob.take()).toMatchObject([{ kind: "paired", address: alice.address, session: alice.session }]);
    expect(alice.take()).toMatchObject([{ kind: "paired", address: bob.address, session: bob.session }]);
    shards.send(alice, toRouter({ kind: "resume", session: "1".repeat(32), peer: bob.name }));
    expect(alice.take()).toMatchObject([{ kind: "absent", reason: goneReasons.lost }]);
  });

  test("a client whose list of peers is full opens to no other shard", () => {
    const { shards, alice, bob } = pairOf({ capacity: 1 });
    const carol = shards.join(1, "carol");
    shards.open(alice, carol);
    expect(alice.take()).toMatchObject([{ kind: "refused", code: errorCodes.busy }]);
    const dave = shards.join(0, "dave");
    shards.open(dave, bob);
    expect(dave.take()).toMatchObject([{ kind: "refused", code: errorCodes.busy }]);
    expect(bob.take()).toEqual([]);
  });

  test("an opener whose list filled up meanwhile comes back, and the peer hears that it is gone", () => {
    const { shards, alice, bob } = twoOf({ capacity: 1 });
    const carol = shards.join(1, "carol");
    shards.of(alice).routing.receive(alice, toRouter(openTo(bob.name), openTo(carol.name, { connection: 2 })));
    shards.run();
    expect(carol.take()).toMatchObject([{ kind: "open" }, { kind: "gone", address: alice.address }]);
    expect(alice.closed).toMatchObject({ code: closeCodes.restarting });
  });

  test("a list asks all shards, and is one page", () => {
    const { shards, alice, bob } = twoOf();
    shards.send(alice, toRouter({ kind: "list", request: 5, cursor: "" }));
    expect(alice.take()).toEqual([{ kind: "peers", request: 5, cursor: "", names: [alice.name, bob.name] }]);
  });

  test("a page of a list holds no more names than a page may, and the next one goes on after it", () => {
    const shards = new FakeShards(2);
    const alice = shards.join(0, "alice");
    const names = Array.from({ length: limits.maxPageLength + 10 }, (_, at) => shards.join(at % 2, `peer${at}-`).name);
    shards.send(alice, toRouter({ kind: "list", request: 1, cursor: "" }));
    const [first] = alice.take();
    if (first === undefined || !("kind" in first) || first.kind !== "peers") throw new Error("No page");
    shards.send(alice, toRouter({ kind: "list", request: 2, cursor: first.cursor }));
    const [second] = alice.take();
    if (second === undefined || !("kind" in second) || second.kind !== "peers") throw new Error("No page");
    expect([...first.names, ...second.names]).toEqual([alice.name, ...names].sort());
    expect(second.cursor).toBe("");
  });
});

describe("segments between shards", () => {
  test("segments go both ways, in order", () => {
    const { shards, alice, bob } = pairOf();
    for (let count = 0; count < 3; count++) shards.data(alice, bob, count);
    shards.data(bob, alice, 9);
    expect(bob.take()).toEqual(
      [0, 1, 2].map((count) => ({ kind: "segment", from: alice.address, bytes: Uint8Array.of(count) })),
    );
    expect(alice.take()).toEqual([{ kind: "segment", from: bob.address, bytes: Uint8Array.of(9) }]);
  });

  test("what comes while a call is under way leaves together", () => {
    const { shards, alice, bob } = pairOf();
    const { routing } = shards.of(alice);
    for (let count = 0; count < 10; count++) routing.receive(alice, batchOf([bob.address, Uint8Array.of(count)]));
    expect(shards.calls).toHaveLength(1);
    shards.run();
    expect(bob.take()).toHaveLength(10);
  });

  test("frames are rewritten where the two formats differ", () => {
    const { shards, alice, bob } = pairOf({ bob: { format: msgpack } });
    bob.messages.length = 0;
    shards.send(alice, encodeBatch(bob.address, { kind: "done", connection: 3 }));
    expect(bob.messages).toHaveLength(1);
    expect(msgpack.encode({ kind: "done", connection: 3 })).toEqual((bob.messages[0] as Uint8Array).subarray(8));
  });

  test("a sender whose frames can't be rewritten is closed as on one shard", () => {
    const { shards, alice, bob } = pairOf({ bob: { format: msgpack } });
    shards.data(alice, bob, 1, 2, 3);
    expect(alice.closed).toMatchObject({ code: closeCodes.malformed });
    expect(bob.closed).toBeUndefined();
  });

  test("a client that isn't paired with a link of another shard learns nothing of it, and sends it nothing", () => {
    const { shards, alice, bob } = twoOf();
    shards.data(alice, bob, 1);
    expect(alice.take()).toEqual([{ kind: "gone", address: bob.address, reason: goneReasons.lost }]);
    expect(bob.take()).toEqual([]);
    shards.send(alice, batchOf([0xffff_fe00, Uint8Array.of(1)]));
    expect(alice.take()).toMatchObject([{ kind: "gone" }]);
  });

  test("a peer whose shard doesn't list the pair gets nothing, and the sender hears that it is gone", () => {
    const { shards, alice, bob } = pairOf();
    bob.pairs.remove(alice.address);
    shards.data(alice, bob, 1);
    expect(bob.take()).toEqual([]);
    expect(alice.take()).toEqual([{ kind: "gone", address: bob.address, reason: goneReasons.lost }]);
    expect(alice.pairs.has(bob.address)).toBe(false);
  });

  test("a slow reader costs the sender's shard nothing, and is closed by its own", () => {
    const shards = new FakeShards(2);
    const bob = shards.join(1, "bob");
    const senders = Array.from({ length: 16 }, (_, at) => shards.join(0, `sender${at}-`));
    for (const sender of senders) shards.pair(sender, bob);
    const chunk = new Uint8Array(limits.maxPayloadBytes);
    for (let count = 0; bob.closed === undefined && count < 2_000; count++) {
      const sender = senders[count % senders.length];
      if (sender !== undefined) shards.send(sender, batchOf([bob.address, chunk]));
    }
    expect(bob.closed).toMatchObject({ code: closeCodes.tooSlow });
    for (const sender of senders) expect(sender.take()).toMatchObject([{ kind: "gone", address: bob.address }]);
    expect(shards.at(0).routing.unread.heldBytes).toBe(0);
  });

  test("a client that floods a link of another shard loses the pair, and may not pair again for a while", () => {
    const { shards, alice, bob } = pairOf();
    const chunk = new Uint8Array(limits.maxPayloadBytes);
    for (let count = 0; alice.pairs.has(bob.address) && count < 2_000; count++)
      shards.send(alice, batchOf([bob.address, chunk]));
    expect(bob.closed).toBeUndefined();
    expect(alice.take()).toMatchObject([{ kind: "gone", address: bob.address }]);
    shards.open(alice, bob);
    expect(alice.take()).toMatchObject([{ kind: "refused", code: errorCodes.busy }]);
  });
});

describe("back-pressure between shards", () => {
  const chunk = new Uint8Array(limits.maxPayloadBytes);

  /** Floods a link that doesn't read, until the pair is cut, with a call for each so many chunks. */
  function flood(
    shards: FakeShards,
    mallory: FakeLink,
    bob: FakeLink,
    chunksPerCall: number,
    after = (): void => {},
  ): void {
    const { routing, trunks } = shards.of(mallory);
    const isUnderWay = (): boolean => mallory.pairs.has(bob.address) || trunks.heldBytes > routerLimits.maxCallBytes;
    for (let count = 1; isUnderWay(); count++) {
      if (mallory.pairs.has(bob.address)) routing.receive(mallory, batchOf([bob.address, chunk]));
      if (count % chunksPerCall === 0) shards.runNext();
      after();
    }
    shards.run();
  }

  test.each([1, 64])(
    "a receiver of another shard that doesn't read holds as little as one of the same, at %d chunks a call",
    (chunksPerCall) => {
      const [one, two] = [new FakeShards(1), new FakeShards(2)];
      const pairs = [
        [one, one.join(0, "mallory"), one.join(0, "bob")],
        [two, two.join(0, "mallory"), two.join(1, "bob")],
      ] as const;
      const [sameBytes = 0, acrossBytes = 0] = pairs.map(([shards, mallory, bob]) => {
        shards.pair(mallory, bob);
        const { trunks } = shards.of(mallory);
        let mostBytes = 0;
        flood(shards, mallory, bob, chunksPerCall, () => {
          mostBytes = Math.max(mostBytes, trunks.heldBytes);
        });
        expect(mostBytes).toBeLessThanOrEqual(routerLimits.maxTrunkBytes / 2);
        expect(trunks.heldBytes).toBe(0);
        expect(bob.closed).toBeUndefined();
        return shards.of(bob).routing.unread.heldBytes;
      });
      expect(acrossBytes).toBeLessThanOrEqual(sameBytes);
    },
  );

  test("a flood to another shard delays others by the calls that it fills, and no longer than until it is cut", () => {
    const { shards, alice: mallory, bob } = pairOf();
    const [carol, dave, erin] = [shards.join(0, "carol"), shards.join(1, "dave"), shards.join(0, "erin")];
    for (const to of [dave, erin]) shards.pair(carol, to);
    const { routing, trunks } = shards.of(carol);
    const delays: number[] = [];
    let calls = 0;
    /** When a message to dave left, in calls; and the most that it may wait for. */
    let waiting: { readonly since: number; readonly most: number } | undefined;
    flood(shards, mallory, bob, 64, () => {
      calls = calls + 1 / 64;
      routing.receive(carol, batchOf([erin.address, Uint8Array.of(1)]));
      // On the sender's own shard nothing waits.
      expect(erin.take()).toHaveLength(1);
      if (waiting !== undefined && dave.take().length > 0) {
        delays.push(calls - waiting.since);
        expect(calls - waiting.since).toBeLessThanOrEqual(waiting.most);
        waiting = undefined;
      }
      if (waiting !== undefined) return;
      const most = 3 + trunks.heldBytes / routerLimits.maxCallBytes;
      routing.receive(carol, batchOf([dave.address, Uint8Array.of(1)]));
      waiting = { since: calls, most };
    });
    expect(Math.max(...delays)).toBeLessThanOrEqual(routerLimits.maxTrunkBytes / 2 / routerLimits.maxCallBytes + 3);
    dave.take();
    routing.receive(carol, batchOf([dave.address, Uint8Array.of(2)]));
    shards.runNext();
    expect(dave.take()).toHaveLength(1);
  });
});

describe("ends of pairs between shards", () => {
  test("a peer of another shard hears how a link ended", () => {
    const { shards, alice, bob } = pairOf();
    const { routing } = shards.of(bob);
    routing.leave(bob, goneReasons.ended);
    shards.run();
    expect(alice.take()).toEqual([{ kind: "gone", address: bob.address, reason: goneReasons.ended }]);
    expect([...alice.pairs]).toEqual([]);
  });

  test("a peer of another shard that waits hears that a session's place was taken", () => {
    const { shards, alice, bob } = pairOf({ bob: { instance: "desk" } });
    const { routing, links, runtime } = shards.of(bob);
    routing.leave(bob, goneReasons.lost);
    routing.join(links.make(bob.name, { instance: "desk", lastHeardMs: runtime.nowMs }));
    shards.run();
    expect(alice.take()).toMatchObject([
      { kind: "gone", address: bob.address, reason: goneReasons.lost },
      { kind: "absent", session: bob.session, reason: goneReasons.superseded },
    ]);
  });

  test("new rules leave pairs between shards that they don't concern", () => {
    const { shards, alice, bob } = pairOf();
    shards.changeRules("deny carol -> * : *");
    expect([alice.take(), bob.take()]).toEqual([[], []]);
    shards.data(alice, bob, 7);
    expect(bob.take()).toMatchObject([{ from: alice.address }]);
  });

  test("new rules that allow something leave pairs between shards, whose clients check what they have", () => {
    const { shards, alice, bob } = pairOf();
    shards.changeRules(`deny * -> * : other`);
    expect(alice.take()).toMatchObject([{ kind: "rulesChanged", address: bob.address }]);
    expect(bob.take()).toMatchObject([{ kind: "rulesChanged", address: alice.address }]);
    shards.send(bob, toRouter({ kind: "check", address: alice.address, opener: 0, protocol: "other" }));
    expect(bob.take()).toMatchObject([{ kind: "denied", protocol: "other" }]);
  });

  test("new rules that allow nothing end pairs between shards at both ends", () => {
    const { shards, alice, bob } = pairOf();
    shards.changeRules("default closed");
    expect(alice.take()).toMatchObject([{ kind: "gone", address: bob.address, reason: goneReasons.forbidden }]);
    expect(bob.take()).toMatchObject([{ kind: "gone", address: alice.address, reason: goneReasons.forbidden }]);
    shards.send(alice, toRouter({ kind: "resume", session: bob.session, peer: bob.name }));
    expect(alice.take()).toMatchObject([{ kind: "absent", reason: goneReasons.forbidden }]);
  });

  test("new rules end pairs between shards that have slept since, and a resume finds out what they allow", () => {
    const { shards, alice, bob } = pairOf();
    shards.sleep();
    shards.changeRules(`deny * -> * : other`);
    expect(alice.take()).toMatchObject([{ kind: "gone", address: bob.address, reason: goneReasons.lost }]);
    expect(bob.take()).toMatchObject([{ kind: "gone", address: alice.address, reason: goneReasons.lost }]);
    shards.send(alice, toRouter({ kind: "resume", session: bob.session, peer: bob.name }));
    expect(bob.take()).toMatchObject([{ kind: "paired" }, { kind: "rulesChanged", address: alice.address }]);
    expect(alice.take()).toMatchObject([{ kind: "paired" }, { kind: "rulesChanged", address: bob.address }]);
  });

  test("an open that left under older rules is refused by a shard that was told of newer ones", () => {
    const { shards, alice, bob } = twoOf();
    shards.of(alice).routing.receive(alice, toRouter(openTo(bob.name)));
    const { routing, runtime } = shards.of(bob);
    const before = runtime.currentRules;
    runtime.currentRules = Rules.parse("default closed");
    routing.changeRules(before);
    shards.run();
    expect(alice.take()).toMatchObject([{ kind: "refused", code: errorCodes.notAllowed }]);
    expect(bob.take()).toEqual([]);
  });
});

describe("a trunk that breaks", () => {
  test("all its pairs end at both ends, and clients resume", () => {
    const { shards, alice, bob } = pairOf();
    shards.of(alice).routing.receive(alice, batchOf([bob.address, Uint8Array.of(1)]));
    const [call] = shards.calls.splice(0);
    if (call !== undefined) shards.end(call, "reset");
    expect(alice.take()).toEqual([{ kind: "gone", address: bob.address, reason: goneReasons.lost }]);
    shards.of(alice).runtime.pass(routerLimits.firstTrunkPauseMs);
    shards.run();
    expect(bob.take()).toEqual([{ kind: "gone", address: alice.address, reason: goneReasons.lost }]);
    shards.send(alice, toRouter({ kind: "resume", session: bob.session, peer: bob.name }));
    expect(alice.take()).toMatchObject([{ kind: "paired" }]);
  });

  test("questions get the answers that let their clients go on", () => {
    const { shards, alice, bob } = twoOf();
    const carol = shards.join(0, "carol");
    const { routing, runtime } = shards.of(alice);
    routing.receive(alice, toRouter(openTo(bob.name)));
    routing.receive(carol, toRouter(openTo(bob.name), { kind: "resume", session: bob.session, peer: bob.name }));
    const [call] = shards.calls.splice(0);
    if (call !== undefined) shards.end(call, "reset");
    // The open of the first one may have arrived: on its next link its session sends it again.
    expect(alice.closed).toMatchObject({ code: closeCodes.restarting, delayMs: 0 });
    expect(carol.take()).toMatchObject([
      { kind: "refused", code: errorCodes.busy },
      { kind: "absent", reason: goneReasons.lost },
    ]);
    routing.receive(carol, toRouter(openTo(bob.name)));
    expect(carol.take()).toMatchObject([{ kind: "refused", code: errorCodes.busy }]);
    runtime.pass(routerLimits.firstTrunkPauseMs);
    shards.run();
    shards.open(carol, bob);
    expect(carol.take()).toMatchObject([{ kind: "routed" }]);
  });

  test("a client that sends more than its part of a trunk has room for loses the pair, and nobody else", () => {
    const { shards, alice, bob } = pairOf();
    const carol = shards.join(0, "carol");
    shards.pair(carol, bob);
    const { routing } = shards.of(alice);
    const chunk = new Uint8Array(limits.maxPayloadBytes);
    let heldBytes = 0;
    for (; alice.pairs.has(bob.address); heldBytes += chunk.length)
      routing.receive(alice, batchOf([bob.address, chunk]));
    expect(heldBytes).toBeGreaterThan(limits.maxBudgetBytes);
    expect(heldBytes).toBeLessThan(routerLimits.maxTrunkBytes / 2);
    expect(alice.take()).toMatchObject([{ kind: "gone", address: bob.address }]);
    expect(carol.pairs.has(bob.address)).toBe(true);
    shards.run();
    expect(bob.pairs.has(alice.address)).toBe(false);
    shards.data(bob, carol, 1);
    expect(carol.take()).toMatchObject([{ kind: "segment", from: bob.address }]);
  });

  test("a shard that doesn't answer costs the others no more than a trunk may hold", () => {
    const shards = new FakeShards(2);
    const bob = shards.join(1, "bob");
    const senders = Array.from({ length: 40 }, (_, at) => shards.join(0, `sender${at}-`));
    for (const sender of senders) shards.pair(sender, bob);
    const { routing, trunks } = shards.at(0);
    const chunk = new Uint8Array(limits.maxPayloadBytes);
    for (let round = 0; round < 200; round++)
      for (const sender of senders)
        if (sender.pairs.has(bob.address)) routing.receive(sender, batchOf([bob.address, chunk]));
    expect(trunks.heldBytes).toBeLessThanOrEqual(routerLimits.maxTrunkBytes);
    for (const sender of senders) expect(sender.take()).toMatchObject([{ kind: "gone", address: bob.address }]);
  });

  test("bytes that are no call, and calls of another version, are answered and change nothing", () => {
    const { shards, alice, bob } = pairOf();
    const { trunks } = shards.of(bob);
    for (const bytes of [[], [1], [2, 0, 0, 0], [255, 255, 255], Array.from({ length: 100 }, () => 1)])
      expect([...trunks.receive(Uint8Array.from(bytes))].slice(1)).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    shards.data(alice, bob, 1);
    expect(bob.take()).toHaveLength(1);
  });
});
