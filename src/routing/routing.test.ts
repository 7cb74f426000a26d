import { errorCodes, goneReasons, limits, type RouterFrame } from "@messagepasser/protocol";
import { describe, expect, test } from "vitest";
import { batchOf, openTo, toRouter } from "../../test/support/batches.ts";
import { type FakeLink, realmOf } from "../../test/support/routing-fakes.ts";

const bytes = Uint8Array.of(0x42, 0, 0, 1, 2, 3);

describe("open", () => {
  test("an open arrives stamped with the opener's name, session and address, and its opener is told which link it reached", () => {
    const { routing, join } = realmOf();
    const [alice, bob, carol] = [join("alice"), join("bob"), join("carol")];
    const fields = {
      connection: 7,
      protocol: "chat",
      limit: 2 ** 40,
      metadata: { topic: "näh" },
      flags: 3,
      first: bytes,
    };
    routing.receive(alice, toRouter(openTo("bob", fields)));
    expect(bob.take()).toEqual([
      { kind: "open", address: alice.address, session: alice.session, peer: "alice", ...fields },
    ]);
    expect(alice.take()).toEqual([
      { kind: "routed", connection: 7, address: bob.address, session: bob.session, peer: "bob" },
    ]);
    expect(carol.take()).toEqual([]);
  });

  test("an open to oneself goes through", () => {
    const { routing, join } = realmOf();
    const alice = join("alice");
    routing.receive(alice, toRouter(openTo("alice")));
    expect(alice.take().map((heard) => "kind" in heard && heard.kind)).toEqual(["open", "routed"]);
    routing.receive(alice, batchOf([alice.address, bytes]));
    expect(alice.take()).toEqual([{ kind: "segment", from: alice.address, bytes }]);
    routing.leave(alice, goneReasons.ended);
    expect(alice.take()).toEqual([]);
  });

  test("an open goes through for the smallest and the largest id and for as large a first message as is allowed", () => {
    const { routing, join } = realmOf();
    const [alice, bob] = [join("alice"), join("bob")];
    const first = new Uint8Array(limits.maxPayloadBytes);
    for (const connection of [1, limits.maxConnectionId]) {
      routing.receive(alice, toRouter(openTo("bob", { connection, first })));
      expect(bob.take()).toMatchObject([{ kind: "open", connection, first }]);
    }
  });

  // A byte more per character than UTF-16 units, so that a limit in characters would show.
  const longText = "é".repeat(limits.maxNameBytes / 2);
  const refusals: [string, Partial<Extract<RouterFrame, { kind: "open" }>>, number, RegExp][] = [
    ["id 0", { connection: 0 }, errorCodes.badOpen, /id 0 /],
    ["an id with the bit that says who opened", { connection: 2 ** 31 }, errorCodes.badOpen, /id 2147483648 /],
    ["no peer", { peer: "" }, errorCodes.badOpen, /peer's name must not be empty/],
    [
      "an instance with a colon",
      { peer: "a:b:c" },
      errorCodes.badOpen,
      /peer's name has an instance that must not contain ":"/,
    ],
    ["an empty instance", { peer: "a:" }, errorCodes.badOpen, /peer's name has an instance that must not be empty/],
    ["an instance of a label of the router's", { peer: "a:@7" }, errorCodes.badOpen, /must not begin with "@"/],
    ["a peer that the router doesn't play", { peer: "$list" }, errorCodes.peerAbsent, /Nobody of that name/],
    ["a peer with a line feed", { peer: "a\nb" }, errorCodes.badOpen, /peer's name .*control characters/],
    ["a peer with a line separator", { peer: "a\u2028b" }, errorCodes.badOpen, /peer's name .*control characters/],
    ["no protocol", { protocol: "" }, errorCodes.badOpen, /protocol's name must not be empty/],
    ["a protocol with a NUL", { protocol: "a\0" }, errorCodes.badOpen, /protocol's name .*control characters/],
    [
      "a first message of a byte too much",
      { first: new Uint8Array(limits.maxPayloadBytes + 1) },
      errorCodes.badOpen,
      new RegExp(`carries ${limits.maxPayloadBytes + 1} bytes`),
    ],
    ["a flag of a first message that there isn't", { flags: 4 }, errorCodes.badOpen, /Unknown flags 4/],
    [
      "an instance that isn't there",
      { peer: "bob:phone" },
      errorCodes.peerAbsent,
      /No session of that instance .*"home"/,
    ],
    ["a session that isn't there", { session: "e".repeat(32) }, errorCodes.peerAbsent, /No session of that .* id is/],
    ["an absent peer", { peer: longText }, errorCodes.peerAbsent, /Nobody of that name .*"home"/],
  ];

  test.for(refusals)("an open with %s is refused with a reason, and pairs no links", ([, fields, code, reason]) => {
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

  test("an open to a name whose link has left is refused like one to any absent name", () => {
    const { links, routing, join } = realmOf();
    const [alice, bob] = [join("alice"), join("bob")];
    links.remove(bob);
    routing.receive(alice, toRouter(openTo("bob")));
    expect(alice.take()).toMatchObject([{ kind: "refused", code: errorCodes.peerAbsent }]);
    expect(bob.take()).toEqual([]);
  });
});

describe("a pair", () => {
  test("a pair that finds no room at one link is proven by the other's entry, in both directions", () => {
    const { links, routing, join, pair } = realmOf(1);
    const [busy, first, second] = [join("busy"), join("first"), join("second")];
    pair(busy, first);
    pair(busy, second);
    routing.receive(busy, batchOf([second.address, bytes]));
    expect(second.take()).toEqual([{ kind: "segment", from: busy.address, bytes }]);
    routing.receive(second, batchOf([busy.address, bytes]));
    expect(busy.take()).toEqual([{ kind: "segment", from: second.address, bytes }]);
    // A full link may also be opened to.
    const third = join("third");
    pair(third, busy);
    routing.receive(busy, batchOf([third.address, bytes]));
    expect(third.take()).toEqual([{ kind: "segment", from: busy.address, bytes }]);
    expect(links.scans).toBe(0);
  });

  test("a pair that finds room at neither link is refused as busy, also to oneself, and lets nothing through", () => {
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

  test("a pair that exists stays open to further opens, though both lists are full", () => {
    const { routing, join, pair } = realmOf(1);
    const [alice, bob] = [join("alice"), join("bob")];
    pair(alice, bob);
    pair(bob, join("carol"));
    pair(alice, bob);
    pair(bob, alice);
    routing.receive(alice, batchOf([bob.address, bytes]));
    expect(bob.take()).toEqual([{ kind: "segment", from: alice.address, bytes }]);
  });

  test("a pair gives its room back when the other link leaves", () => {
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
  test.for(Object.entries(goneReasons))("a gone goes exactly to the links that were paired: %s", ([, reason]) => {
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

  test("a gone comes once for many opens between the same two links", () => {
    const { routing, join, pair } = realmOf();
    const [alice, bob] = [join("alice"), join("bob")];
    for (let count = 0; count < 3; count++) pair(alice, bob);
    pair(bob, alice);
    routing.leave(alice, goneReasons.lost);
    expect(bob.take()).toHaveLength(1);
  });

  test("a gone reaches the links that a full link has no entry for, and no others", () => {
    const { routing, join, pair } = realmOf(1);
    const [busy, listed, unlisted, stranger] = [join("busy"), join("listed"), join("unlisted"), join("stranger")];
    pair(busy, listed);
    pair(unlisted, busy);
    routing.leave(busy, goneReasons.lost);
    for (const link of [listed, unlisted]) expect(link.take()).toMatchObject([{ kind: "gone", address: busy.address }]);
    expect(stranger.take()).toEqual([]);
  });

  test("a gone reaches a full link that has no entry for the link that left", () => {
    const { routing, join, pair } = realmOf(1);
    const [busy, listed, unlisted] = [join("busy"), join("listed"), join("unlisted")];
    pair(busy, listed);
    pair(unlisted, busy);
    routing.leave(unlisted, goneReasons.ended);
    expect(busy.take()).toEqual([{ kind: "gone", address: unlisted.address, reason: goneReasons.ended }]);
    expect(listed.take()).toEqual([]);
  });

  test("a gone doesn't come again for a link that left in the meantime", () => {
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

  test("a list names every client in order, including the asker, and says that it is the last page", () => {
    const { routing, join } = realmOf();
    const [zoe] = [join("zoe"), join("Bob"), join("ålice"), join("alice")];
    routing.receive(zoe, toRouter({ kind: "list", request: 5, cursor: "" }));
    expect(zoe.take()).toEqual([{ kind: "peers", request: 5, cursor: "", names: ["Bob", "alice", "zoe", "ålice"] }]);
  });

  test("a list comes in pages, none larger than allowed, with every name once", () => {
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

  test("a second list in a batch throws where it ends, after the first was answered", () => {
    const { routing, join } = realmOf();
    const alice = join("alice");
    const [first, second] = [1, 2].map((request) => ({ kind: "list", request, cursor: "" }) as const);
    if (first === undefined || second === undefined) throw new Error("There are two");
    // 8 of a segment's header, 4 of a frame's, 4 of a request, 2 of a text's length.
    const inOneSegment = { batch: toRouter(first, second), offset: 8 + 10 + 10 };
    const inTwo = { batch: Uint8Array.of(...toRouter(first), ...toRouter(second)), offset: 8 + 10 + 8 + 10 };
    for (const { batch, offset } of [inOneSegment, inTwo]) {
      const error = {
        name: "ProtocolError",
        message: `A second list in one message: it ends at byte ${offset}`,
        offset,
      };
      expect(() => routing.receive(alice, batch)).toThrow(expect.objectContaining(error));
      expect(alice.take()).toMatchObject([{ kind: "peers", request: 1 }]);
    }
  });

  test("a list may come in each of two batches, and beside other frames", () => {
    const { routing, join } = realmOf();
    const alice = join("alice");
    for (const request of [1, 2]) {
      expect(routing.receive(alice, toRouter({ kind: "list", request, cursor: "" }, openTo("nobody")))).toBe(true);
      expect(alice.take()).toMatchObject([{ kind: "peers", request }, { kind: "refused" }]);
    }
  });

  test("a list after a cursor that is no client's name goes on behind it", () => {
    const { routing, join } = realmOf();
    const [alice] = [join("alice"), join("carol")];
    routing.receive(alice, toRouter({ kind: "list", request: 1, cursor: "bob" }));
    expect(namesOf(alice)).toEqual(["carol"]);
    routing.receive(alice, toRouter({ kind: "list", request: 1, cursor: "zoe" }));
    expect(namesOf(alice)).toEqual([]);
  });
});

describe("bye", () => {
  test("a bye ends the link, and the frames behind it in the batch are dropped", () => {
    const { routing, join, pair } = realmOf();
    const [alice, bob] = [join("alice"), join("bob")];
    pair(alice, bob);
    const bye = toRouter({ kind: "bye" }, openTo("bob"));
    const behind = batchOf([bob.address, bytes]);
    expect(routing.receive(alice, Uint8Array.of(...bye, ...behind))).toBe(false);
    expect(bob.take()).toEqual([]);
    expect(alice.take()).toEqual([]);
  });

  test("frames before a bye in its batch pass, and a link without a bye goes on", () => {
    const { routing, join, pair } = realmOf();
    const [alice, bob] = [join("alice"), join("bob")];
    pair(alice, bob);
    expect(routing.receive(alice, Uint8Array.of(...batchOf([bob.address, bytes]), ...toRouter({ kind: "bye" })))).toBe(
      false,
    );
    expect(bob.take()).toEqual([{ kind: "segment", from: alice.address, bytes }]);
    expect(routing.receive(bob, new Uint8Array())).toBe(true);
  });
});
