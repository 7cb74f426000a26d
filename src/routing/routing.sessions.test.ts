import {
  anySession,
  closeCodes,
  errorCodes,
  goneReasons,
  limits,
  routerLimits,
  type RouterFrame,
} from "@messagepasser/protocol";
import { describe, expect, test } from "vitest";
import { closings } from "./closings.ts";
import { Rules } from "./rules.ts";
import { batchOf, openTo, toRouter } from "../../test/support/batches.ts";
import { type FakeLink, grantOf, realmOf } from "../../test/support/routing-fakes.ts";

const bytes = Uint8Array.of(0x42, 0, 0, 1, 2, 3);
const session = "a".repeat(32);
const otherSession = "b".repeat(32);

function resume(peer: string, session: string): Uint8Array {
  return toRouter({ kind: "resume", session, peer });
}

function paired(link: FakeLink): RouterFrame {
  return { kind: "paired", address: link.address, session: link.session, peer: link.label };
}

describe("a link that joins", () => {
  test("a link that joins is told its name, session, realm and budget, and no other link is told anything", () => {
    const { links, routing } = realmOf();
    const [alice, bob] = [links.make("alice"), links.make("bob", { session })];
    routing.join(alice);
    alice.take();
    routing.join(bob);
    expect(bob.take()).toEqual([
      { kind: "welcome", session, name: "bob", realm: "home", budget: routerLimits.firstBudgetBytes },
    ]);
    expect(alice.take()).toEqual([]);
    expect(links.named("bob")[0]).toBe(bob);
  });

  test("a link that joins replaces the one of the same session, whose peers are told that it was lost", () => {
    const { links, routing, join, pair } = realmOf();
    const [alice, old, stranger] = [join("alice"), join("bob", { session }), join("stranger")];
    pair(alice, old);
    const next = links.make("bob", { session });
    routing.join(next);
    expect(old.closed).toEqual({ code: closeCodes.replaced, reason: expect.any(String), delayMs: 0 });
    expect(old.take()).toEqual([]);
    expect(alice.take()).toEqual([{ kind: "gone", address: old.address, reason: goneReasons.lost }]);
    expect(stranger.take()).toEqual([]);
    expect(links.named("bob")[0]).toBe(next);
    expect(links.byAddress(old.address)).toBeUndefined();
  });

  test("a link that joins ends no link of another session, unless both are of one instance", () => {
    const { links, routing, join } = realmOf();
    const others = [{}, { instance: "laptop" }, { instance: "desk" }].map((options) => join("bob", options));
    for (const instance of ["", "phone"]) routing.join(links.make("bob", { instance }));
    expect(others.map(({ closed }) => closed)).toEqual([undefined, undefined, undefined]);
    routing.join(links.make("bob", { instance: "desk" }));
    expect(others.map(({ closed }) => closed?.code)).toEqual([undefined, undefined, closeCodes.superseded]);
  });

  test("a link that joins supersedes another session of its instance, whose peers are told so", () => {
    const { links, routing, join, pair } = realmOf();
    const [alice, old] = [join("alice"), join("bob", { session, instance: "desk" })];
    pair(old, alice);
    routing.join(links.make("bob", { session: otherSession, instance: "desk" }));
    expect(old.closed).toMatchObject({ code: closeCodes.superseded });
    expect(alice.take()).toEqual([{ kind: "gone", address: old.address, reason: goneReasons.superseded }]);
  });

  test("a replaced link's later messages do nothing, and its end is told to no peer", () => {
    const { links, routing, join, pair } = realmOf();
    const [alice, old] = [join("alice"), join("bob", { session })];
    pair(alice, old);
    const next = links.make("bob", { session });
    routing.join(next);
    alice.take();
    next.take();
    expect(routing.receive(old, batchOf([alice.address, bytes]))).toBe(true);
    expect(routing.receive(old, toRouter({ kind: "bye" }))).toBe(true);
    expect(routing.receive(old, Uint8Array.of(1))).toBe(true);
    routing.leave(old, goneReasons.lost);
    expect(alice.take()).toEqual([]);
    expect(next.closed).toBeUndefined();
    expect(links.named("bob")[0]).toBe(next);
  });
});

describe("a link that can't resume", () => {
  const endings: [string, (realm: ReturnType<typeof realmOf>, bob: FakeLink) => void, number][] = [
    ["is lost", ({ routing }, bob) => routing.leave(bob, goneReasons.lost), goneReasons.ended],
    [
      "is dropped",
      ({ routing }, bob) => routing.drop(bob, goneReasons.lost, { code: closeCodes.malformed, reason: "", delayMs: 0 }),
      goneReasons.ended,
    ],
    ["is over", ({ routing }, bob) => routing.leave(bob, goneReasons.ended), goneReasons.ended],
    [
      "is superseded",
      ({ routing, links }) => routing.join(links.make("bob", { session: otherSession, instance: "desk" })),
      goneReasons.superseded,
    ],
  ];

  test.for(endings)("a link that can't resume and %s is gone for good", ([, end, reason]) => {
    const realm = realmOf();
    const [alice, bob] = [realm.join("alice"), realm.join("bob", { session, instance: "desk", resumes: false })];
    realm.pair(alice, bob);
    end(realm, bob);
    expect(alice.take()).toEqual([{ kind: "gone", address: bob.address, reason }]);
  });
});

describe("an open that went to a session before", () => {
  test("an open for a session that a client has used goes to that session again, whatever its link", () => {
    const { routing, join } = realmOf();
    const [alice, bob] = [join("alice"), join("bob", { session })];
    for (const wanted of [session, anySession]) {
      routing.receive(alice, toRouter(openTo("bob", { session: wanted })));
      expect(bob.take()).toMatchObject([{ kind: "open" }]);
      expect(alice.take()).toMatchObject([{ kind: "routed", session }]);
    }
  });

  test.for([
    ["bob", errorCodes.peerAbsent],
    ["bob:desk", errorCodes.peerReplaced],
  ] as const)("an open for a session of %s that is not there is refused, and pairs no links", ([peer, code]) => {
    const { routing, join } = realmOf();
    const [alice, bob] = [join("alice"), join("bob", { session, instance: "desk" })];
    routing.receive(alice, toRouter(openTo(peer, { session: otherSession, connection: 3 })));
    expect(alice.take()).toMatchObject([{ kind: "refused", connection: 3, code }]);
    expect(bob.take()).toEqual([]);
    routing.receive(alice, batchOf([bob.address, bytes]));
    expect(alice.take()).toMatchObject([{ kind: "gone" }]);
  });

  test("an open for a session is refused like any other when no client has the name", () => {
    const { routing, join } = realmOf();
    const alice = join("alice");
    routing.receive(alice, toRouter(openTo("bob", { session })));
    expect(alice.take()).toMatchObject([{ kind: "refused", code: errorCodes.peerAbsent }]);
  });
});

describe("many sessions of a name", () => {
  test("of many sessions, one that was quiet for more than a minute gets an open only if nobody else serves it", () => {
    const { routing, runtime, join } = realmOf();
    const services = { alone: ["chat"], shared: [] };
    const alice = join("alice");
    const awake = join("bob", { services });
    const quiet = join("bob", { services, lastHeardMs: runtime.nowMs - 71_000 });
    quiet.sinceMs = runtime.nowMs + 1;
    routing.receive(alice, toRouter(openTo("bob", { protocol: "chat" })));
    expect([awake.take().length, quiet.take().length]).toEqual([1, 0]);
    routing.leave(awake, goneReasons.lost);
    routing.receive(alice, toRouter(openTo("bob", { protocol: "chat", connection: 2 })));
    expect(quiet.take()).toMatchObject([{ kind: "open", connection: 2 }]);
  });

  test("of many sessions, another one gets an open that names one that doesn't answer; without another it is refused", () => {
    const { routing, join } = realmOf();
    const [alice, old, young] = [join("alice"), join("bob"), join("bob")];
    routing.receive(alice, toRouter(openTo("bob", { address: 1, session: young.session })));
    expect([old.take().length, young.take().length]).toEqual([1, 0]);
    routing.leave(young, goneReasons.lost);
    alice.take();
    routing.receive(alice, toRouter(openTo("bob", { address: 1, session: old.session, connection: 2 })));
    expect(alice.take()).toMatchObject([{ kind: "refused", connection: 2, code: errorCodes.peerAbsent }]);
  });

  test("of many sessions, none gets an open that none serves, and the opener is told so at once", () => {
    const { routing, join } = realmOf();
    const alice = join("alice");
    const sessions = [1, 2].map(() => join("bob", { services: { alone: ["files"], shared: [] } }));
    routing.receive(alice, toRouter(openTo("bob", { protocol: "chat", connection: 2 })));
    expect(alice.take()).toMatchObject([{ kind: "refused", connection: 2, code: errorCodes.unknownProtocol }]);
    for (const bob of sessions) expect(bob.take()).toEqual([]);
  });
});

describe("resume", () => {
  test("a resume pairs two links, tells each about the other, and tells no other link anything", () => {
    const { routing, join } = realmOf();
    const [alice, bob, carol] = [join("alice"), join("bob"), join("carol")];
    routing.receive(alice, resume("bob", bob.session));
    expect(alice.take()).toEqual([paired(bob)]);
    expect(bob.take()).toEqual([paired(alice)]);
    expect(carol.take()).toEqual([]);
    routing.receive(alice, batchOf([bob.address, bytes]));
    routing.receive(bob, batchOf([alice.address, bytes]));
    expect(bob.take()).toEqual([{ kind: "segment", from: alice.address, bytes }]);
    expect(alice.take()).toEqual([{ kind: "segment", from: bob.address, bytes }]);
    routing.leave(bob, goneReasons.lost);
    expect(alice.take()).toEqual([{ kind: "gone", address: bob.address, reason: goneReasons.lost }]);
  });

  test("resumes from both ends, repeated and beside opens, make one pair", () => {
    const { routing, join, pair } = realmOf();
    const [alice, bob] = [join("alice"), join("bob")];
    pair(alice, bob);
    routing.receive(alice, resume("bob", bob.session));
    routing.receive(bob, resume("alice", alice.session));
    expect(alice.take()).toEqual([paired(bob), paired(bob)]);
    expect(bob.take()).toEqual([paired(alice), paired(alice)]);
    routing.leave(alice, goneReasons.lost);
    expect(bob.take()).toHaveLength(1);
  });

  test("a resume with oneself is told twice and harms nothing", () => {
    const { routing, join } = realmOf();
    const alice = join("alice");
    routing.receive(alice, resume("alice", alice.session));
    expect(alice.take()).toEqual([paired(alice), paired(alice)]);
    routing.receive(alice, batchOf([alice.address, bytes]));
    expect(alice.take()).toEqual([{ kind: "segment", from: alice.address, bytes }]);
  });

  const absences: [string, string, string, number][] = [
    ["nobody has the name", "nobody", session, goneReasons.lost],
    ["the name is none", "$list", session, goneReasons.lost],
    ["the name is empty", "", session, goneReasons.lost],
    ["another session has the name", "bob", otherSession, goneReasons.lost],
    ["another session has the instance", "bob:desk", otherSession, goneReasons.superseded],
    ["it names no session", "bob:desk", anySession, goneReasons.superseded],
  ];
  test.for(absences)("a resume is answered with absent, and pairs no links, when %s", ([, peer, wanted, reason]) => {
    const { routing, join } = realmOf();
    const [alice, bob] = [join("alice"), join("bob", { session, instance: "desk" })];
    routing.receive(alice, resume(peer, wanted));
    expect(alice.take()).toEqual([{ kind: "absent", session: wanted, reason, peer }]);
    expect(bob.take()).toEqual([]);
    routing.receive(alice, batchOf([bob.address, bytes]));
    expect(alice.take()).toMatchObject([{ kind: "gone" }]);
  });

  test("a resume is answered with absent while both links have the most pairs, and goes through when one has room", () => {
    const { routing, join, pair } = realmOf(1);
    const [alice, bob, carol, dave] = [join("alice"), join("bob"), join("carol"), join("dave")];
    pair(alice, carol);
    pair(bob, dave);
    routing.receive(alice, resume("bob", bob.session));
    expect(alice.take()).toEqual([{ kind: "absent", session: bob.session, reason: goneReasons.lost, peer: "bob" }]);
    expect(bob.take()).toEqual([]);
    routing.leave(dave, goneReasons.lost);
    bob.take();
    routing.receive(alice, resume("bob", bob.session));
    expect(alice.take()).toEqual([paired(bob)]);
    expect(bob.take()).toEqual([paired(alice)]);
    routing.receive(alice, batchOf([bob.address, bytes]));
    expect(bob.take()).toEqual([{ kind: "segment", from: alice.address, bytes }]);
  });
});

describe("a session whose instance another one took", () => {
  /** Alice's link is lost; another session of hers joins, and leaves if asked to. */
  function replaced(isGone: boolean) {
    const realm = realmOf();
    const { links, routing } = realm;
    const [alice, bob, stranger] = [
      realm.join("alice", { session, instance: "desk" }),
      realm.join("bob"),
      realm.join("stranger"),
    ];
    realm.pair(alice, bob);
    routing.leave(alice, goneReasons.lost);
    bob.take();
    const next = links.make("alice", { session: otherSession, instance: "desk" });
    routing.join(next);
    if (isGone) routing.drop(next, goneReasons.ended, closings.bye);
    return { ...realm, bob, stranger };
  }
  const superseded = { kind: "absent", session, reason: goneReasons.superseded, peer: "alice:desk" };

  test.for([true, false])(
    "the peers of a lost session are told at once that another one took its instance: gone again %s",
    (isGone) => {
      const { bob, stranger } = replaced(isGone);
      expect(bob.take()).toEqual([superseded]);
      expect(stranger.take()).toEqual([]);
    },
  );

  test("whoever asks for a lost session is told that another one took its instance, though that one has left", () => {
    const { routing, bob } = replaced(true);
    bob.take();
    routing.receive(bob, resume("alice:desk", session));
    expect(bob.take()).toEqual([superseded]);
    // Of the last one nobody knows whether it comes back.
    routing.receive(bob, resume("alice:desk", otherSession));
    expect(bob.take()).toEqual([{ ...superseded, session: otherSession, reason: goneReasons.lost }]);
  });

  test("whoever may open nothing to a name isn't told whether it ever was there", () => {
    const { routing, runtime, bob } = replaced(true);
    bob.take();
    runtime.currentRules = Rules.parse("default closed");
    routing.receive(bob, resume("alice:desk", session));
    expect(bob.take()).toEqual([{ ...superseded, reason: goneReasons.lost }]);
  });

  test("a session that comes back itself is not told to be replaced", () => {
    const realm = realmOf();
    const [alice, bob] = [realm.join("alice", { session, instance: "desk" }), realm.join("bob")];
    realm.pair(alice, bob);
    realm.routing.leave(alice, goneReasons.lost);
    bob.take();
    realm.routing.join(realm.links.make("alice", { session, instance: "desk" }));
    expect(bob.take()).toEqual([]);
  });
});

const many = Array.from({ length: limits.maxServices }, (_, at) => `*a*${at}*`.padEnd(16, "b*"));

test.each([
  ["they may serve", "mallory", { services: { alone: many, shared: [] } }],
  ["their invitation has", "mallory/eve", { grant: grantOf("mallory", "", "", many) }],
])(
  "opens to a name of a hundred sessions don't keep the router busy, with as many patterns as %s",
  (_, name, options) => {
    const realm = realmOf();
    for (let count = 0; count < routerLimits.maxSessions; count++) realm.join(name, options);
    const sessions = realm.links.named(name);
    realm.links.named = () => sessions;
    const protocol = "a".repeat(limits.maxProtocolBytes);
    const opens = Array.from({ length: 300 }, (_, at) => openTo(name, { connection: at + 1, protocol }));
    const alice = realm.join("alice");
    const startMs = performance.now();
    realm.routing.receive(alice, toRouter(...opens));
    expect(performance.now() - startMs).toBeLessThan(2_000);
    expect(alice.take()).toHaveLength(opens.length);
  },
);
