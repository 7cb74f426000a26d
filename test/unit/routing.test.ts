import {
  BatchWriter,
  errorCodes,
  goneReasons,
  limits,
  ProtocolError,
  routerAddress,
  type RouterFrame,
} from "@messagepasser/protocol";
import { describe, expect, test } from "vitest";
import { batchOf, FakeLink, openTo, realmOf, toRouter } from "./routing-fakes.ts";

const bytes = Uint8Array.of(0x42, 0, 0, 1, 2, 3);
const neverIssued = 9_999;

describe("a segment", () => {
  test("reaches the paired link with the sender's address and otherwise as it was, in both directions", () => {
    const { routing, join, pair } = realmOf();
    const [alice, bob] = [join("alice"), join("bob")];
    pair(alice, bob);
    routing.receive(alice, batchOf([bob.address, bytes]));
    expect(bob.take()).toEqual([{ from: alice.address, bytes }]);
    routing.receive(bob, batchOf([alice.address, bytes]));
    expect(alice.take()).toEqual([{ from: bob.address, bytes }]);
  });

  test("changes in its 4 bytes of address only, in the batch that it came in", () => {
    const { routing, join, pair } = realmOf();
    const [alice, bob] = [join("alice"), join("bob")];
    pair(alice, bob);
    const batch = batchOf([bob.address, bytes], [bob.address, Uint8Array.of(9)]);
    const expected = batchOf([alice.address, bytes], [alice.address, Uint8Array.of(9)]);
    routing.receive(alice, batch);
    expect(batch).toEqual(expected);
  });

  test("names a sender by any address, also one with the highest bit", () => {
    const { routing, join, pair } = realmOf();
    const alice = new FakeLink(0xfedc_ba98, "alice", { lastHeardMs: 1_000_000 });
    routing.join(alice);
    alice.take();
    const bob = join("bob");
    pair(alice, bob);
    for (const count of [1, 2]) {
      routing.receive(alice, batchOf(...Array.from({ length: count }, () => [bob.address, bytes] as const)));
      expect(bob.take()).toEqual(Array.from({ length: count }, () => ({ from: 0xfedc_ba98, bytes })));
      routing.receive(bob, batchOf([alice.address, bytes]));
      expect(alice.take()).toEqual([{ from: bob.address, bytes }]);
    }
  });

  test("is not parsed: bytes that are no frames pass", () => {
    const { routing, join, pair } = realmOf();
    const [alice, bob] = [join("alice"), join("bob")];
    pair(alice, bob);
    const noise = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 1);
    routing.receive(alice, batchOf([bob.address, noise], [bob.address, Uint8Array.of(0)]));
    expect(bob.take()).toEqual([
      { from: alice.address, bytes: noise },
      { from: alice.address, bytes: Uint8Array.of(0) },
    ]);
  });

  test("without frames reaches nobody and is no fault, while its neighbours arrive", () => {
    const { routing, join, pair } = realmOf();
    const [alice, bob] = [join("alice"), join("bob")];
    pair(alice, bob);
    const empty = new Uint8Array();
    const batch = batchOf([bob.address, empty], [bob.address, bytes], [routerAddress, empty], [bob.address, empty]);
    expect(routing.receive(alice, batch)).toBe(true);
    expect(bob.takeMessages()).toEqual([[{ from: alice.address, bytes }]]);
    expect(alice.takeMessages()).toEqual([]);
  });

  test("without frames is answered all the same where its address leads nowhere", () => {
    const { routing, join } = realmOf();
    const alice = join("alice");
    routing.receive(alice, batchOf([neverIssued, new Uint8Array()]));
    expect(alice.take()).toEqual([{ kind: "gone", address: neverIssued, reason: goneReasons.lost }]);
  });

  test("goes where its own address says, though its neighbours in the batch go elsewhere", () => {
    const { routing, join, pair } = realmOf();
    const [alice, bob, carol] = [join("alice"), join("bob"), join("carol")];
    pair(alice, bob);
    pair(alice, carol);
    const pieces = [Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3)] as const;
    routing.receive(alice, batchOf([carol.address, pieces[0]], [bob.address, pieces[1]], [carol.address, pieces[2]]));
    expect(bob.take()).toEqual([{ from: alice.address, bytes: pieces[1] }]);
    expect(carol.take().map((heard) => "bytes" in heard && heard.bytes)).toEqual([pieces[0], pieces[2]]);
  });

  test("to an unpaired, a gone or a never issued address gets one and the same answer, and reaches nobody", () => {
    const { routing, join, pair } = realmOf();
    const [alice, unpaired, gone] = [join("alice"), join("unpaired"), join("gone")];
    pair(alice, gone);
    routing.leave(gone, goneReasons.over);
    alice.take();
    for (const address of [unpaired.address, gone.address, neverIssued, 0xffff_ffff]) {
      routing.receive(alice, batchOf([address, bytes]));
      expect(alice.take()).toEqual([{ kind: "gone", address, reason: goneReasons.lost }]);
    }
    for (const other of [unpaired, gone]) expect(other.take()).toEqual([]);
  });

  test("doesn't pass to a third through a common peer", () => {
    const { routing, join, pair } = realmOf();
    const [alice, bob, carol] = [join("alice"), join("bob"), join("carol")];
    pair(alice, bob);
    pair(bob, carol);
    routing.receive(alice, batchOf([carol.address, bytes]));
    expect(alice.take()).toEqual([{ kind: "gone", address: carol.address, reason: goneReasons.lost }]);
    expect(carol.take()).toEqual([]);
  });

  test("doesn't pass to whoever has the name of the link that was paired", () => {
    const { routing, join, pair } = realmOf();
    const [alice, bob] = [join("alice"), join("bob")];
    pair(alice, bob);
    routing.leave(bob, goneReasons.superseded);
    alice.take();
    const heir = join("bob");
    for (const address of [bob.address, heir.address]) {
      routing.receive(alice, batchOf([address, bytes]));
      expect(alice.take()).toEqual([{ kind: "gone", address, reason: goneReasons.lost }]);
    }
    expect(heir.take()).toEqual([]);
  });

  test("to one's own address needs an open as any other does", () => {
    const { routing, join } = realmOf();
    const alice = join("alice");
    routing.receive(alice, batchOf([alice.address, bytes]));
    expect(alice.take()).toEqual([{ kind: "gone", address: alice.address, reason: goneReasons.lost }]);
  });
});

describe("addresses that lead nowhere", () => {
  const goneFrom = (address: number): RouterFrame => ({ kind: "gone", address, reason: goneReasons.lost });

  test("get one answer each in a batch, all after the rest of the batch has been routed", () => {
    const { routing, join, pair } = realmOf();
    const [alice, bob, unpaired] = [join("alice"), join("bob"), join("unpaired")];
    pair(alice, bob);
    const nowhere = batchOf([neverIssued, bytes], [unpaired.address, bytes], [neverIssued, bytes]);
    const list = toRouter({ kind: "list", request: 1, cursor: "" });
    const again = batchOf([bob.address, bytes], [unpaired.address, bytes], [bob.address, bytes]);
    expect(routing.receive(alice, Uint8Array.of(...nowhere, ...list, ...again))).toBe(true);
    expect(alice.takeMessages()).toEqual([
      [
        { kind: "peers", request: 1, cursor: "", names: ["alice", "bob", "unpaired"] },
        goneFrom(neverIssued),
        goneFrom(unpaired.address),
      ],
    ]);
    expect(bob.take()).toHaveLength(2);
  });

  test("get it anew in the next batch", () => {
    const { routing, join } = realmOf();
    const alice = join("alice");
    for (let count = 0; count < 2; count++) {
      routing.receive(alice, batchOf([neverIssued, bytes], [neverIssued, bytes]));
      expect(alice.takeMessages()).toEqual([[goneFrom(neverIssued)]]);
    }
  });

  test("get it in one message, though they are as many as a batch has segments", () => {
    const { routing, join } = realmOf();
    const alice = join("alice");
    const addresses = Array.from({ length: limits.maxSegments }, (_, at) => neverIssued + at);
    routing.receive(alice, batchOf(...addresses.map((address) => [address, bytes] as const)));
    expect(alice.takeMessages()).toEqual([addresses.map(goneFrom)]);
  });

  test("get none where the link ends with the batch, whether by a bye or by a fault", () => {
    const { routing, join } = realmOf();
    const alice = join("alice");
    const nowhere = batchOf([neverIssued, bytes]);
    expect(routing.receive(alice, Uint8Array.of(...nowhere, ...toRouter({ kind: "bye" })))).toBe(false);
    expect(() => routing.receive(alice, Uint8Array.of(...nowhere, 0))).toThrow(ProtocolError);
    expect(alice.take()).toEqual([]);
  });
});

describe("open", () => {
  test("arrives stamped with the opener's name, session and address; the opener hears whom it reached", () => {
    const { routing, join } = realmOf();
    const [alice, bob, carol] = [join("alice"), join("bob"), join("carol")];
    const fields = { connection: 7, protocol: "chat", limit: 2 ** 40, metadata: { topic: "näh" }, early: bytes };
    routing.receive(alice, toRouter(openTo("bob", fields)));
    expect(bob.take()).toEqual([
      { kind: "incoming", address: alice.address, session: alice.session, peer: "alice", ...fields },
    ]);
    expect(alice.take()).toEqual([{ kind: "routed", connection: 7, address: bob.address, session: bob.session }]);
    expect(carol.take()).toEqual([]);
  });

  test("may go to oneself", () => {
    const { routing, join } = realmOf();
    const alice = join("alice");
    routing.receive(alice, toRouter(openTo("alice")));
    expect(alice.take().map((heard) => "kind" in heard && heard.kind)).toEqual(["incoming", "routed"]);
    routing.receive(alice, batchOf([alice.address, bytes]));
    expect(alice.take()).toEqual([{ from: alice.address, bytes }]);
    routing.leave(alice, goneReasons.over);
    expect(alice.take()).toEqual([]);
  });

  test("goes through for the smallest and the largest id and for as much early data as is allowed", () => {
    const { routing, join } = realmOf();
    const [alice, bob] = [join("alice"), join("bob")];
    const early = new Uint8Array(limits.maxEarlyBytes);
    for (const connection of [1, limits.maxConnectionId]) {
      routing.receive(alice, toRouter(openTo("bob", { connection, early })));
      expect(bob.take()).toMatchObject([{ kind: "incoming", connection, early }]);
    }
  });

  // A byte more per character than UTF-16 units, so that a limit in characters would show.
  const longText = "é".repeat(limits.maxNameBytes / 2);
  const refusals: [string, Partial<Extract<RouterFrame, { kind: "open" }>>, number, RegExp][] = [
    ["id 0", { connection: 0 }, errorCodes.badOpen, /id 0 /],
    ["an id with the bit that says who opened", { connection: 2 ** 31 }, errorCodes.badOpen, /id 2147483648 /],
    ["no peer", { peer: "" }, errorCodes.badOpen, /peer's name must not be empty/],
    ["a peer with a colon", { peer: "a:b" }, errorCodes.badOpen, /peer's name must not contain ":"/],
    ["a peer that the router doesn't play", { peer: "$list" }, errorCodes.peerAbsent, /Nobody of that name/],
    ["a peer with a line feed", { peer: "a\nb" }, errorCodes.badOpen, /peer's name .*control characters/],
    ["a peer with a line separator", { peer: "a\u2028b" }, errorCodes.badOpen, /peer's name .*control characters/],
    ["no protocol", { protocol: "" }, errorCodes.badOpen, /protocol's name must not be empty/],
    ["a protocol with a NUL", { protocol: "a\0" }, errorCodes.badOpen, /protocol's name .*control characters/],
    [
      "a byte too much of early data",
      { early: new Uint8Array(limits.maxEarlyBytes + 1) },
      errorCodes.badOpen,
      new RegExp(`carries ${limits.maxEarlyBytes + 1} bytes`),
    ],
    ["an absent peer", { peer: longText }, errorCodes.peerAbsent, /Nobody of that name .*"home"/],
  ];

  test.for(refusals)("with %s is refused with a reason, and pairs nobody", ([, fields, code, reason]) => {
    const { routing, join } = realmOf();
    const [alice, bob] = [join("alice"), join("bob")];
    routing.receive(alice, toRouter(openTo("bob", fields)));
    const refused = {
      kind: "refused",
      connection: fields.connection ?? 1,
      code,
      reason: expect.stringMatching(reason),
    };
    expect(alice.take()).toEqual([refused]);
    routing.receive(alice, batchOf([bob.address, bytes]));
    expect(alice.take()).toMatchObject([{ kind: "gone" }]);
    expect(bob.take()).toEqual([]);
  });

  test("to a name whose link has left is refused as to any absent one", () => {
    const { links, routing, join } = realmOf();
    const [alice, bob] = [join("alice"), join("bob")];
    links.remove(bob);
    routing.receive(alice, toRouter(openTo("bob")));
    expect(alice.take()).toMatchObject([{ kind: "refused", code: errorCodes.peerAbsent }]);
    expect(bob.take()).toEqual([]);
  });
});

describe("a pair", () => {
  test("that finds no room at one link is proven by the other's entry, in both directions", () => {
    const { links, routing, join, pair } = realmOf(1);
    const [busy, first, second] = [join("busy"), join("first"), join("second")];
    pair(busy, first);
    pair(busy, second);
    routing.receive(busy, batchOf([second.address, bytes]));
    expect(second.take()).toEqual([{ from: busy.address, bytes }]);
    routing.receive(second, batchOf([busy.address, bytes]));
    expect(busy.take()).toEqual([{ from: second.address, bytes }]);
    // A full link may also be opened to.
    const third = join("third");
    pair(third, busy);
    routing.receive(busy, batchOf([third.address, bytes]));
    expect(third.take()).toEqual([{ from: busy.address, bytes }]);
    expect(links.scans).toBe(0);
  });

  test("that finds room at neither is refused as busy, also to oneself, and lets nothing through", () => {
    const { routing, join, pair } = realmOf(1);
    const [alice, bob] = [join("alice"), join("bob")];
    pair(alice, join("carol"));
    pair(bob, join("dave"));
    for (const name of ["bob", "alice"]) {
      routing.receive(alice, toRouter(openTo(name)));
      expect(alice.take()).toMatchObject([{ kind: "refused", code: errorCodes.busy }]);
    }
    routing.receive(alice, batchOf([bob.address, bytes]));
    expect(alice.take()).toMatchObject([{ kind: "gone" }]);
    expect(bob.take()).toEqual([]);
  });

  test("that is there goes on being open to further opens, though both are full", () => {
    const { routing, join, pair } = realmOf(1);
    const [alice, bob] = [join("alice"), join("bob")];
    pair(alice, bob);
    pair(bob, join("carol"));
    pair(alice, bob);
    pair(bob, alice);
    routing.receive(alice, batchOf([bob.address, bytes]));
    expect(bob.take()).toEqual([{ from: alice.address, bytes }]);
  });

  test("gives its room back when the other link leaves", () => {
    const { routing, join, pair } = realmOf(1);
    const [alice, bob, carol] = [join("alice"), join("bob"), join("carol")];
    pair(alice, bob);
    routing.leave(bob, goneReasons.lost);
    pair(carol, join("dave"));
    alice.take();
    pair(alice, carol);
  });
});

describe("gone", () => {
  test.for(Object.entries(goneReasons))("goes to those who were paired and to no one else: %s", ([, reason]) => {
    const { links, routing, join, pair } = realmOf();
    const [alice, opened, opener, stranger] = [join("alice"), join("opened"), join("opener"), join("stranger")];
    pair(alice, opened);
    pair(opener, alice);
    pair(opened, stranger);
    routing.leave(alice, reason);
    const gone = { kind: "gone", address: alice.address, reason };
    expect(opened.take()).toEqual([gone]);
    expect(opener.take()).toEqual([gone]);
    expect(stranger.take()).toEqual([]);
    expect(alice.take()).toEqual([]);
    expect(links.scans).toBe(0);
  });

  test("comes once for many opens between the same two", () => {
    const { routing, join, pair } = realmOf();
    const [alice, bob] = [join("alice"), join("bob")];
    for (let count = 0; count < 3; count++) pair(alice, bob);
    pair(bob, alice);
    routing.leave(alice, goneReasons.lost);
    expect(bob.take()).toHaveLength(1);
  });

  test("also reaches those whom a full link has no entry of, and no one else", () => {
    const { routing, join, pair } = realmOf(1);
    const [busy, listed, unlisted, stranger] = [join("busy"), join("listed"), join("unlisted"), join("stranger")];
    pair(busy, listed);
    pair(unlisted, busy);
    routing.leave(busy, goneReasons.lost);
    for (const link of [listed, unlisted]) expect(link.take()).toMatchObject([{ kind: "gone", address: busy.address }]);
    expect(stranger.take()).toEqual([]);
  });

  test("reaches a full link that has no entry of the one who left", () => {
    const { routing, join, pair } = realmOf(1);
    const [busy, listed, unlisted] = [join("busy"), join("listed"), join("unlisted")];
    pair(busy, listed);
    pair(unlisted, busy);
    routing.leave(unlisted, goneReasons.over);
    expect(busy.take()).toEqual([{ kind: "gone", address: unlisted.address, reason: goneReasons.over }]);
    expect(listed.take()).toEqual([]);
  });

  test("doesn't come again to who left in the meantime", () => {
    const { routing, join, pair } = realmOf();
    const [alice, bob] = [join("alice"), join("bob")];
    pair(alice, bob);
    for (const link of [bob, alice]) {
      routing.leave(link, goneReasons.lost);
    }
    expect(bob.take()).toEqual([]);
  });
});

describe("list", () => {
  const namesOf = (link: FakeLink): readonly string[] =>
    link.take().flatMap((heard) => ("kind" in heard && heard.kind === "peers" ? heard.names : []));

  test("names everybody, the asker too, in order, and says that it is the last page", () => {
    const { routing, join } = realmOf();
    const [zoe] = [join("zoe"), join("Bob"), join("ålice"), join("alice")];
    routing.receive(zoe, toRouter({ kind: "list", request: 5, cursor: "" }));
    expect(zoe.take()).toEqual([{ kind: "peers", request: 5, cursor: "", names: ["Bob", "alice", "zoe", "ålice"] }]);
  });

  test("comes in pages, none larger than allowed, and every name once", () => {
    const { links, routing, join } = realmOf();
    const count = 2 * limits.maxPageLength;
    for (let number = 0; number < count; number++) join(`client ${number}`);
    const asker = links.current()[0] ?? join("asker");
    const seen: string[] = [];
    let cursor = "";
    let pages = 0;
    do {
      routing.receive(asker, toRouter({ kind: "list", request: pages, cursor }));
      const [page] = asker.take();
      if (page === undefined || !("kind" in page) || page.kind !== "peers") throw new Error("No page came");
      expect(page.names.length).toBeLessThanOrEqual(limits.maxPageLength);
      seen.push(...page.names);
      cursor = page.cursor;
      pages++;
    } while (cursor !== "");
    expect(pages).toBe(2);
    expect(seen).toEqual([...new Set(links.current().map(({ name }) => name))].sort());
  });

  test("is answered once a batch: a second one throws where it ends, after the first was answered", () => {
    const { routing, join } = realmOf();
    const alice = join("alice");
    const [first, second] = [1, 2].map((request) => ({ kind: "list", request, cursor: "" }) as const);
    if (first === undefined || second === undefined) throw new Error("There are two");
    // 8 of a segment's header, 4 of a frame's, 4 of a request, 2 of a text's length.
    const inOneSegment = { batch: toRouter(first, second), offset: 8 + 10 + 10 };
    const inTwo = { batch: Uint8Array.of(...toRouter(first), ...toRouter(second)), offset: 8 + 10 + 8 + 10 };
    for (const { batch, offset } of [inOneSegment, inTwo]) {
      const error = { name: "ProtocolError", message: `A second list in one batch: it ends at byte ${offset}`, offset };
      expect(() => routing.receive(alice, batch)).toThrow(expect.objectContaining(error));
      expect(alice.take()).toMatchObject([{ kind: "peers", request: 1 }]);
    }
  });

  test("may come in each of two batches, and beside other frames", () => {
    const { routing, join } = realmOf();
    const alice = join("alice");
    for (const request of [1, 2]) {
      expect(routing.receive(alice, toRouter({ kind: "list", request, cursor: "" }, openTo("nobody")))).toBe(true);
      expect(alice.take()).toMatchObject([{ kind: "peers", request }, { kind: "refused" }]);
    }
  });

  test("after a cursor that is nobody's name goes on behind it", () => {
    const { routing, join } = realmOf();
    const [alice] = [join("alice"), join("carol")];
    routing.receive(alice, toRouter({ kind: "list", request: 1, cursor: "bob" }));
    expect(namesOf(alice)).toEqual(["carol"]);
    routing.receive(alice, toRouter({ kind: "list", request: 1, cursor: "zoe" }));
    expect(namesOf(alice)).toEqual([]);
  });
});

describe("bye", () => {
  test("ends the link, and what stands behind it in the batch is dropped", () => {
    const { routing, join, pair } = realmOf();
    const [alice, bob] = [join("alice"), join("bob")];
    pair(alice, bob);
    const bye = toRouter({ kind: "bye" }, openTo("bob"));
    const behind = batchOf([bob.address, bytes]);
    expect(routing.receive(alice, Uint8Array.of(...bye, ...behind))).toBe(false);
    expect(bob.take()).toEqual([]);
    expect(alice.take()).toEqual([]);
  });

  test("lets pass what stands before it in the batch; without one the link goes on", () => {
    const { routing, join, pair } = realmOf();
    const [alice, bob] = [join("alice"), join("bob")];
    pair(alice, bob);
    expect(routing.receive(alice, Uint8Array.of(...batchOf([bob.address, bytes]), ...toRouter({ kind: "bye" })))).toBe(
      false,
    );
    expect(bob.take()).toEqual([{ from: alice.address, bytes }]);
    expect(routing.receive(bob, new Uint8Array())).toBe(true);
  });
});

describe("a batch of many segments", () => {
  test("is routed when it has as many as are allowed", () => {
    const { routing, join, pair } = realmOf();
    const [alice, bob] = [join("alice"), join("bob")];
    pair(alice, bob);
    const segments = Array.from({ length: limits.maxSegments }, () => [bob.address, bytes] as const);
    expect(routing.receive(alice, batchOf(...segments))).toBe(true);
    expect(bob.take()).toHaveLength(limits.maxSegments);
  });

  test.for<[string, number, Uint8Array]>([
    ["for a peer", 2, bytes],
    ["for the router", routerAddress, Uint8Array.of(0x09, 0, 0, 0)],
    ["for nobody", neverIssued, bytes],
    ["without frames", 2, new Uint8Array()],
  ])("throws at the header of the first one too many: %s", ([, address, frames]) => {
    const { routing, join, pair } = realmOf();
    const [alice, bob] = [join("alice"), join("bob")];
    expect(bob.address).toBe(2);
    pair(alice, bob);
    const allowed = Array.from({ length: limits.maxSegments }, () => [bob.address, bytes] as const);
    const offset = batchOf(...allowed).length;
    const batch = batchOf(...allowed, [address, frames], [bob.address, bytes]);
    expect(() => routing.receive(alice, batch)).toThrow(
      expect.objectContaining({
        name: "ProtocolError",
        message: `More than ${limits.maxSegments} segments at byte ${offset}`,
        offset,
      }),
    );
    expect(bob.take()).toHaveLength(limits.maxSegments);
  });

  test("counts those for the router, for nobody and without frames like any other", () => {
    const { routing, join, pair } = realmOf();
    const [alice, bob] = [join("alice"), join("bob")];
    pair(alice, bob);
    const kinds = [
      [routerAddress, new Uint8Array()],
      [neverIssued, bytes],
      [bob.address, new Uint8Array()],
      [bob.address, bytes],
    ] as const;
    const allowed = Array.from({ length: limits.maxSegments / kinds.length }, () => kinds).flat();
    expect(routing.receive(alice, batchOf(...allowed))).toBe(true);
    const offset = batchOf(...allowed).length;
    expect(() => routing.receive(alice, batchOf(...allowed, ...kinds))).toThrow(
      expect.objectContaining({ name: "ProtocolError", offset }),
    );
  });

  test("never comes from a writer, however many frames to however many addresses it gathers", () => {
    const { routing, join, pair } = realmOf();
    const [alice, bob, carol] = [join("alice"), join("bob"), join("carol")];
    for (const peer of [bob, carol]) pair(alice, peer);
    const batches: Uint8Array[] = [];
    const writer = new BatchWriter((batch) => batches.push(batch));
    for (let count = 0; count < limits.maxSegments; count++) {
      for (const { address } of [bob, carol]) writer.frame(address, { kind: "stop", connection: 1 });
    }
    writer.flush();
    expect(batches).toHaveLength(2);
    for (const batch of batches) expect(routing.receive(alice, batch)).toBe(true);
    for (const peer of [bob, carol]) expect(peer.take()).toHaveLength(limits.maxSegments);
  });
});

describe("a batch that breaks a rule", () => {
  const routersOwn: RouterFrame[] = [
    { kind: "welcome", session: "0".repeat(32), name: "x", realm: "home", budget: 1 },
    {
      kind: "incoming",
      connection: 1,
      address: 2,
      session: "0".repeat(32),
      peer: "x",
      protocol: "p",
      limit: 0,
      metadata: {},
      early: new Uint8Array(),
    },
    { kind: "routed", connection: 1, address: 2, session: "0".repeat(32) },
    { kind: "refused", connection: 1, code: 1, reason: "" },
    { kind: "gone", address: 2, reason: 1 },
    { kind: "peers", request: 1, cursor: "", names: [] },
    { kind: "closing", code: 1000, delayMs: 0, reason: "" },
    { kind: "paired", address: 2, session: "0".repeat(32), peer: "x" },
    { kind: "absent", session: "0".repeat(32), reason: 1, peer: "x" },
    { kind: "mark", token: 1, budget: 1 },
  ];

  test.for(routersOwn)("throws for a frame that only the router sends: $kind", (frame) => {
    const { routing, join, pair } = realmOf();
    const [alice, bob] = [join("alice"), join("bob")];
    pair(alice, bob);
    expect(() => routing.receive(alice, toRouter(frame))).toThrow(ProtocolError);
    expect(bob.take()).toEqual([]);
  });

  test("throws for a peer frame to the router, with the place in the batch", () => {
    const { routing, join } = realmOf();
    const alice = join("alice");
    const batch = Uint8Array.of(...toRouter(), ...toRouter({ kind: "stop", connection: 1 }));
    expect(() => routing.receive(alice, batch)).toThrow(expect.objectContaining({ name: "ProtocolError", offset: 16 }));
  });

  test("throws where it breaks it, after what stands before has been routed", () => {
    const { routing, join, pair } = realmOf();
    const [alice, bob] = [join("alice"), join("bob")];
    pair(alice, bob);
    const good = batchOf([bob.address, bytes]);
    const batch = Uint8Array.of(...good, ...batchOf([bob.address, bytes]).subarray(0, 9));
    expect(() => routing.receive(alice, batch)).toThrow(
      expect.objectContaining({ name: "ProtocolError", offset: good.length }),
    );
    expect(bob.take()).toEqual([{ from: alice.address, bytes }]);
  });

  test("skips frames that it doesn't know and may ignore, and takes the next one", () => {
    const { routing, join } = realmOf();
    const alice = join("alice");
    const unknown = Uint8Array.of(0xbf, 0, 0, 2, 1, 2);
    const list = toRouter({ kind: "list", request: 3, cursor: "" }).subarray(8);
    routing.receive(alice, batchOf([routerAddress, Uint8Array.of(...unknown, ...list)]));
    expect(alice.take()).toMatchObject([{ kind: "peers", request: 3 }]);
  });
});
