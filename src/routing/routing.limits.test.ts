import { closeCodes, errorCodes, goneReasons, limits, routerLimits, segmentHeaderBytes } from "@messagepasser/protocol";
import { gob as originalGob, json as originalJson } from "@messagepasser/protocol/original";
import { describe, expect, test } from "vitest";
import { batchOf, openTo, toRouter } from "../../test/support/batches.ts";
import { crowdOf, type FakeLink, type FakeRealm, fill, realmOf } from "../../test/support/routing-fakes.ts";

const chunk = new Uint8Array(65_536);
const { firstMarkBytes, maxUnreadBytes } = limits;

function resume(peer: FakeLink): Uint8Array {
  return toRouter({ kind: "resume", session: peer.session, peer: peer.name });
}

describe("a link that doesn't read", () => {
  test("a link that doesn't read gets at most a third of the cap and is closed to come back, and its peers are told that it was lost", () => {
    const realm = realmOf();
    const [alice, bob, carol] = [realm.join("alice"), realm.join("bob"), realm.join("carol")];
    realm.pair(alice, bob);
    realm.pair(carol, bob);
    fill(realm, bob, crowdOf(realm, bob));
    expect(bob.closed).toEqual({ code: closeCodes.tooSlow, reason: expect.any(String), delayMs: expect.any(Number) });
    expect(bob.closed?.delayMs).toBeGreaterThan(0);
    expect(bob.sentBytes).toBeLessThanOrEqual(maxUnreadBytes / 3 + chunk.length / 2);
    expect(bob.sentBytes).toBeGreaterThan(maxUnreadBytes / 3 - 2 * chunk.length);
    for (const peer of [alice, carol]) {
      expect(peer.take()).toEqual([{ kind: "gone", address: bob.address, reason: goneReasons.lost }]);
    }
    expect(realm.runtime.aborts).toEqual([]);
  });

  test("a link that doesn't read holds memory only until its socket is gone", () => {
    const realm = realmOf();
    const [alice, bob] = [realm.join("alice"), realm.join("bob")];
    realm.pair(alice, bob);
    fill(realm, bob, crowdOf(realm, bob));
    expect(realm.routing.unread.closingBytes).toBeGreaterThan(maxUnreadBytes / 4);
    realm.routing.leave(bob, goneReasons.lost);
    expect(realm.routing.unread).toMatchObject({ heldBytes: 0, closingBytes: 0 });
    expect(alice.take()).toHaveLength(1);
  });

  test("a link that leaves by itself gives back the memory that it held", () => {
    const realm = realmOf();
    const [alice, bob] = [realm.join("alice"), realm.join("bob")];
    realm.pair(alice, bob);
    fill(realm, bob, crowdOf(realm, bob), 100);
    expect(realm.routing.unread).toMatchObject({ heldBytes: expect.any(Number), closingBytes: 0 });
    expect(realm.routing.unread.heldBytes).toBeGreaterThan(100 * chunk.length);
    realm.routing.leave(bob, goneReasons.lost);
    expect(realm.routing.unread.heldBytes).toBe(0);
  });

  test("a link that is dropped in the middle of a batch costs the rest of the batch nothing", () => {
    const realm = realmOf();
    const [alice, bob, carol] = [realm.join("alice"), realm.join("bob"), realm.join("carol")];
    realm.pair(alice, bob);
    realm.pair(alice, carol);
    const piece = Uint8Array.of(1);
    fill(realm, bob, crowdOf(realm, bob), maxUnreadBytes / 3 / chunk.length - 8);
    while (bob.closed === undefined) {
      realm.routing.receive(alice, batchOf([bob.address, chunk], [bob.address, piece], [carol.address, piece]));
      expect(carol.take()).toEqual([{ kind: "segment", from: alice.address, bytes: piece }]);
      realm.reach(carol);
    }
    // Segments to it in the same batch, after its end, may be answered too.
    expect(alice.takeMessages()[0]).toEqual([{ kind: "gone", address: bob.address, reason: goneReasons.lost }]);
  });

  test("a link that answers its marks stays open, however much goes through it", () => {
    const realm = realmOf();
    const [alice, bob, carol] = [realm.join("alice"), realm.join("bob"), realm.join("carol")];
    realm.pair(alice, bob);
    realm.pair(alice, carol);
    fill(realm, bob, crowdOf(realm, bob));
    for (let count = 0; count < 2_000; count++) {
      fill(realm, carol, [alice], 1);
      realm.reach(carol);
      carol.take();
    }
    expect(carol.closed).toBeUndefined();
  });

  test("a sender whose own link is dropped loses the rest of its batch, and a fault in that rest is none", () => {
    const realm = realmOf();
    const [alice, bob] = [realm.join("alice"), realm.join("bob")];
    realm.pair(alice, alice);
    realm.pair(alice, bob);
    const behind = batchOf([bob.address, Uint8Array.of(1)]);
    while (alice.closed === undefined) {
      bob.take();
      const batch = Uint8Array.of(...batchOf([alice.address, chunk]), ...behind, 0xff);
      try {
        expect(realm.routing.receive(alice, batch)).toBe(true);
      } catch (error) {
        expect(error).toMatchObject({ name: "ProtocolError" });
        expect(alice.closed).toBeUndefined();
      }
    }
    expect(bob.take()).toEqual([{ kind: "gone", address: alice.address, reason: goneReasons.lost }]);
  });

  test("the router's own answers can drop a link that doesn't read", () => {
    const realm = realmOf();
    const names = Array.from({ length: limits.maxPageLength }, (_, at) => `${at}`.padStart(limits.maxNameBytes, "n"));
    for (const name of names) realm.join(name);
    const alice = realm.join("alice");
    let asked = 0;
    for (; alice.closed === undefined; asked++) {
      expect(realm.routing.receive(alice, toRouter({ kind: "list", request: asked, cursor: "" }))).toBe(true);
    }
    expect(alice.closed).toMatchObject({ code: closeCodes.tooSlow });
    expect(asked).toBeGreaterThan(200);
  });

  test("a dropped link may drop others that are as full when they are told about each other", () => {
    const realm = realmOf();
    const { routing, links, runtime } = realm;
    const senders = Array.from({ length: 16 }, (_, at) => realm.join(`sender ${at}`));
    const slow = Array.from({ length: 300 }, (_, at) => realm.join(`slow ${at}`));
    for (const sender of senders) for (const link of slow) realm.pair(sender, link);
    for (const one of slow.slice(0, 60)) for (const other of slow.slice(0, 60)) realm.pair(one, other);
    for (let round = 0; round < 10_000 && slow.some(({ closed }) => closed === undefined); round++) {
      for (const link of slow) if (link.closed === undefined) fill(realm, link, senders, 1);
    }
    expect(slow.every(({ closed }) => closed !== undefined)).toBe(true);
    expect(links.current()).toEqual(senders);
    expect(routing.unread.heldBytes).toBeLessThanOrEqual(maxUnreadBytes);
    expect(runtime.aborts.length).toBeGreaterThan(0);
  });
});

describe("memory of closing links", () => {
  test("closing links that hold most of the cap end the object", () => {
    const realm = realmOf();
    for (let at = 0; realm.runtime.aborts.length === 0; at++) {
      const { closingBytes } = realm.routing.unread;
      expect(closingBytes).toBeLessThanOrEqual((maxUnreadBytes * 3) / 4);
      const bob = realm.join(`bob ${at}`);
      fill(realm, bob, crowdOf(realm, bob));
    }
    expect(realm.routing.unread.closingBytes).toBeGreaterThan((maxUnreadBytes * 3) / 4);
    expect(realm.routing.unread.heldBytes).toBeLessThanOrEqual(maxUnreadBytes);
    expect(realm.runtime.aborts).toHaveLength(1);
  });
});

describe("marks", () => {
  test("a mark comes right after the segment that caused it, with a budget that falls by what other links haven't read", () => {
    const realm = realmOf();
    const [alice, bob, carol] = [realm.join("alice"), realm.join("bob"), realm.join("carol")];
    realm.pair(alice, bob);
    realm.pair(alice, carol);
    fill(realm, bob, [alice], 1);
    expect(bob.marks).toEqual([{ kind: "mark", token: expect.any(Number), budget: routerLimits.firstBudgetBytes }]);
    // Both turn out to be fast.
    for (const link of [bob, carol]) {
      for (let round = 0; round < 8; round++) {
        fill(realm, link, [alice], 8);
        if (round === 7) expect(link.marks.at(-1)?.budget).toBe(limits.maxBudgetBytes);
        realm.reach(link);
      }
    }
    fill(realm, bob, crowdOf(realm, bob), 200);
    fill(realm, carol, [alice], 1);
    fill(realm, carol, [alice], 8);
    expect(carol.marks[0]?.budget).toBeLessThan(limits.maxBudgetBytes);
    const late = realm.links.make("dave");
    realm.routing.join(late);
    const [welcome] = late.take();
    expect(welcome).toMatchObject({ kind: "welcome", budget: expect.any(Number) });
    // It may be as slow as any, and all may be busy soon.
    if (welcome !== undefined && "budget" in welcome)
      expect(welcome.budget).toBeLessThan(routerLimits.firstBudgetBytes);
    realm.reach(bob);
    realm.reach(carol);
    fill(realm, carol, [alice], 8);
    expect(carol.marks.at(-1)?.budget).toBe(limits.maxBudgetBytes);
  });

  test("any number of answers to marks that were never sent is ignored", () => {
    const realm = realmOf();
    const [alice, bob] = [realm.join("alice"), realm.join("bob")];
    realm.pair(alice, bob);
    fill(realm, bob, [alice], 10);
    const { heldBytes } = realm.routing.unread;
    const guesses = Array.from({ length: 5_000 }, (_, at) => ({ kind: "reached", token: 0xffff_0000 + at }) as const);
    for (let round = 0; round < 3; round++) expect(realm.routing.receive(bob, toRouter(...guesses))).toBe(true);
    expect(bob.closed).toBeUndefined();
    expect(realm.routing.unread.heldBytes).toBe(heldBytes);
  });
});

describe("an open with a first message", () => {
  test("an open with a first message is refused as busy where the peer has more than half of its unread bytes, and goes through without it", () => {
    const realm = realmOf();
    const [alice, bob] = [realm.join("alice"), realm.join("bob")];
    realm.pair(alice, bob);
    fill(realm, bob, crowdOf(realm, bob), Math.ceil(maxUnreadBytes / 5 / chunk.length));
    bob.take();
    realm.routing.receive(alice, toRouter(openTo("bob", { connection: 2, first: Uint8Array.of(1) })));
    expect(alice.take()).toMatchObject([{ kind: "refused", connection: 2, code: errorCodes.busy }]);
    expect(bob.take()).toEqual([]);
    realm.routing.receive(alice, toRouter(openTo("bob", { connection: 3 })));
    expect(bob.take()).toMatchObject([{ kind: "open", connection: 3 }]);
    realm.reach(bob);
    realm.routing.receive(alice, toRouter(openTo("bob", { connection: 4, first: Uint8Array.of(1) })));
    expect(bob.take()).toMatchObject([{ kind: "open", connection: 4 }]);
  });
});

describe("an open or a resume that is too much for the peer's link", () => {
  test.for(["open", "resume"] as const)(
    "an open or a resume that is too much for the peer's link finds no peer, drops the link and tells no pair: %s",
    (kind) => {
      const realm = realmOf();
      const [alice, bob, carol] = [realm.join("alice"), realm.join("bob"), realm.join("carol")];
      realm.pair(alice, bob);
      const crowd = crowdOf(realm, bob);
      while (bob.closed === undefined) {
        carol.take();
        // In small steps, so that the next thing that is too much is not a segment.
        fill(realm, bob, crowd, maxUnreadBytes / 3 - bob.sentBytes > 3 * chunk.length ? 1 : 0);
        realm.routing.receive(carol, kind === "open" ? toRouter(openTo("bob")) : resume(bob));
      }
      expect(carol.take().at(-1)).toMatchObject(
        kind === "open"
          ? { kind: "refused", code: errorCodes.peerAbsent }
          : { kind: "absent", session: bob.session, reason: goneReasons.lost },
      );
      expect(bob.closed).toMatchObject({ code: closeCodes.tooSlow });
    },
  );
});

describe("a silent link", () => {
  const asks: [string, (bob: FakeLink) => Uint8Array, (bob: FakeLink) => object][] = [
    ["an open", () => toRouter(openTo("bob")), () => ({ kind: "refused", code: errorCodes.peerAbsent })],
    ["a resume", resume, ({ session }) => ({ kind: "absent", session, reason: goneReasons.lost })],
  ];

  test.for(asks)("a link that was silent for too long is dropped by %s, which finds no peer", ([, ask, absent]) => {
    const { routing, runtime, join, pair } = realmOf();
    const [alice, bob, carol] = [join("alice"), join("bob"), join("carol")];
    pair(carol, bob);
    runtime.nowMs += limits.ghostAfterMs;
    routing.receive(alice, ask(bob));
    expect(bob.take()).toHaveLength(1);
    expect(alice.take()).toHaveLength(1);
    runtime.nowMs++;
    routing.receive(alice, ask(bob));
    expect(alice.take()).toMatchObject([{ kind: "gone", address: bob.address, reason: goneReasons.lost }, absent(bob)]);
    expect(carol.take()).toEqual([{ kind: "gone", address: bob.address, reason: goneReasons.lost }]);
    expect(bob.take()).toEqual([]);
    expect(bob.closed).toMatchObject({ code: closeCodes.restarting, delayMs: 0 });
  });

  test.for<[string, (realm: FakeRealm, bob: FakeLink) => void]>([
    ["a heartbeat came", ({ runtime }, bob) => void (bob.lastHeardMs = runtime.nowMs)],
    ["it sent something", ({ routing }, bob) => void routing.receive(bob, new Uint8Array())],
  ])("a link is found as before where %s since", ([, act]) => {
    const realm = realmOf();
    const [alice, bob] = [realm.join("alice"), realm.join("bob")];
    realm.runtime.nowMs += limits.ghostAfterMs;
    act(realm, bob);
    realm.runtime.nowMs += limits.ghostAfterMs;
    realm.routing.receive(alice, toRouter(openTo("bob")));
    expect(bob.take()).toMatchObject([{ kind: "open" }]);
  });

  test.for([originalGob, originalJson])(
    "a link of $subprotocol, which has no heartbeat, is found however long it is silent",
    (format) => {
      const { routing, runtime, join } = realmOf();
      const [alice, bob] = [join("alice"), join("bob", { format })];
      runtime.nowMs += 100 * limits.ghostAfterMs;
      routing.receive(alice, toRouter(openTo("bob")));
      expect(alice.take()).toMatchObject([{ kind: "routed" }]);
      expect(bob.messages).toHaveLength(1);
    },
  );

  test("a silent link still gets messages: only a request for its name drops it", () => {
    const { routing, runtime, join, pair } = realmOf();
    const [alice, bob] = [join("alice"), join("bob")];
    pair(alice, bob);
    runtime.nowMs += 10 * limits.ghostAfterMs;
    routing.receive(alice, batchOf([bob.address, Uint8Array.of(1)]));
    expect(bob.take()).toHaveLength(1);
  });
});

test("a link's first bytes below the first mark are neither marked nor counted", () => {
  const realm = realmOf();
  const [alice, bob] = [realm.join("alice"), realm.join("bob")];
  realm.pair(alice, bob);
  // Enough for the router's clock to go before it.
  realm.routing.receive(alice, batchOf([bob.address, chunk.subarray(0, routerLimits.clockEveryBytes)]));
  const leftBytes = firstMarkBytes - 1 - bob.sentBytes - segmentHeaderBytes;
  realm.routing.receive(alice, batchOf([bob.address, chunk.subarray(0, leftBytes)]));
  expect(bob.marks).toEqual([]);
  expect(realm.routing.unread.heldBytes).toBe(0);
  realm.routing.receive(alice, batchOf([bob.address, Uint8Array.of(1)]));
  expect(bob.marks).toHaveLength(1);
  expect(realm.routing.unread.heldBytes).toBe(bob.sentBytes);
});
