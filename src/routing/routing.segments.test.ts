import {
  BatchWriter,
  goneReasons,
  limits,
  ProtocolError,
  routerAddress,
  type RouterFrame,
} from "@messagepasser/protocol";
import { describe, expect, test } from "vitest";
import { batchOf, toRouter } from "../../test/support/batches.ts";
import { FakeLink, realmOf } from "../../test/support/routing-fakes.ts";

const bytes = Uint8Array.of(0x42, 0, 0, 1, 2, 3);
const neverIssued = 9_999;

describe("a segment", () => {
  test("a segment reaches the paired link with the sender's address and is otherwise unchanged, in both directions", () => {
    const { routing, join, pair } = realmOf();
    const [alice, bob] = [join("alice"), join("bob")];
    pair(alice, bob);
    routing.receive(alice, batchOf([bob.address, bytes]));
    expect(bob.take()).toEqual([{ kind: "segment", from: alice.address, bytes }]);
    routing.receive(bob, batchOf([alice.address, bytes]));
    expect(alice.take()).toEqual([{ kind: "segment", from: bob.address, bytes }]);
  });

  test("a segment changes only in the 4 bytes of its address, in the batch that it came in", () => {
    const { routing, join, pair } = realmOf();
    const [alice, bob] = [join("alice"), join("bob")];
    pair(alice, bob);
    const batch = batchOf([bob.address, bytes], [bob.address, Uint8Array.of(9)]);
    const expected = batchOf([alice.address, bytes], [alice.address, Uint8Array.of(9)]);
    routing.receive(alice, batch);
    expect(batch).toEqual(expected);
  });

  test("a segment names its sender by any address, including one with the highest bit set", () => {
    const { routing, join, pair } = realmOf();
    const alice = new FakeLink(0xfedc_ba98, "alice", { lastHeardMs: 1_000_000 });
    routing.join(alice);
    alice.take();
    const bob = join("bob");
    pair(alice, bob);
    for (const count of [1, 2]) {
      routing.receive(alice, batchOf(...Array.from({ length: count }, () => [bob.address, bytes] as const)));
      expect(bob.take()).toEqual(Array.from({ length: count }, () => ({ kind: "segment", from: 0xfedc_ba98, bytes })));
      routing.receive(bob, batchOf([alice.address, bytes]));
      expect(alice.take()).toEqual([{ kind: "segment", from: bob.address, bytes }]);
    }
  });

  test("a segment isn't parsed: bytes that are no frames pass", () => {
    const { routing, join, pair } = realmOf();
    const [alice, bob] = [join("alice"), join("bob")];
    pair(alice, bob);
    const noise = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 1);
    routing.receive(alice, batchOf([bob.address, noise], [bob.address, Uint8Array.of(0)]));
    expect(bob.take()).toEqual([
      { kind: "segment", from: alice.address, bytes: noise },
      { kind: "segment", from: alice.address, bytes: Uint8Array.of(0) },
    ]);
  });

  test("a segment without frames reaches no link and is no fault, while its neighbours arrive", () => {
    const { routing, join, pair } = realmOf();
    const [alice, bob] = [join("alice"), join("bob")];
    pair(alice, bob);
    const empty = new Uint8Array();
    const batch = batchOf([bob.address, empty], [bob.address, bytes], [routerAddress, empty], [bob.address, empty]);
    expect(routing.receive(alice, batch)).toBe(true);
    expect(bob.takeMessages()).toEqual([[{ kind: "segment", from: alice.address, bytes }]]);
    expect(alice.takeMessages()).toEqual([]);
  });

  test("a segment without frames to an unused address is answered like any other", () => {
    const { routing, join } = realmOf();
    const alice = join("alice");
    routing.receive(alice, batchOf([neverIssued, new Uint8Array()]));
    expect(alice.take()).toEqual([{ kind: "gone", address: neverIssued, reason: goneReasons.lost }]);
  });

  test("a segment goes where its own address says, though its neighbours in the batch go elsewhere", () => {
    const { routing, join, pair } = realmOf();
    const [alice, bob, carol] = [join("alice"), join("bob"), join("carol")];
    pair(alice, bob);
    pair(alice, carol);
    const pieces = [Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3)] as const;
    routing.receive(alice, batchOf([carol.address, pieces[0]], [bob.address, pieces[1]], [carol.address, pieces[2]]));
    expect(bob.take()).toEqual([{ kind: "segment", from: alice.address, bytes: pieces[1] }]);
    expect(carol.take().map((heard) => "bytes" in heard && heard.bytes)).toEqual([pieces[0], pieces[2]]);
  });

  test("a segment to an unpaired, a gone or a never issued address gets the same answer, and reaches no link", () => {
    const { routing, join, pair } = realmOf();
    const [alice, unpaired, gone] = [join("alice"), join("unpaired"), join("gone")];
    pair(alice, gone);
    routing.leave(gone, goneReasons.ended);
    alice.take();
    for (const address of [unpaired.address, gone.address, neverIssued, 0xffff_ffff]) {
      routing.receive(alice, batchOf([address, bytes]));
      expect(alice.take()).toEqual([{ kind: "gone", address, reason: goneReasons.lost }]);
    }
    for (const other of [unpaired, gone]) expect(other.take()).toEqual([]);
  });

  test("a segment doesn't pass to a third link through a common peer", () => {
    const { routing, join, pair } = realmOf();
    const [alice, bob, carol] = [join("alice"), join("bob"), join("carol")];
    pair(alice, bob);
    pair(bob, carol);
    routing.receive(alice, batchOf([carol.address, bytes]));
    expect(alice.take()).toEqual([{ kind: "gone", address: carol.address, reason: goneReasons.lost }]);
    expect(carol.take()).toEqual([]);
  });

  test("a segment doesn't pass to a new link that has the name of the paired one", () => {
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

  test("a segment to the sender's own address needs an open like any other", () => {
    const { routing, join } = realmOf();
    const alice = join("alice");
    routing.receive(alice, batchOf([alice.address, bytes]));
    expect(alice.take()).toEqual([{ kind: "gone", address: alice.address, reason: goneReasons.lost }]);
  });
});

describe("unused addresses", () => {
  const goneFrom = (address: number): RouterFrame => ({ kind: "gone", address, reason: goneReasons.lost });

  test("unused addresses get one answer each in a batch, after the rest of the batch was routed", () => {
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

  test("an unused address gets its answer again in the next batch", () => {
    const { routing, join } = realmOf();
    const alice = join("alice");
    for (let count = 0; count < 2; count++) {
      routing.receive(alice, batchOf([neverIssued, bytes], [neverIssued, bytes]));
      expect(alice.takeMessages()).toEqual([[goneFrom(neverIssued)]]);
    }
  });

  test("unused addresses get their answers in one message, even if they are as many as a batch has segments", () => {
    const { routing, join } = realmOf();
    const alice = join("alice");
    const addresses = Array.from({ length: limits.maxSegments }, (_, at) => neverIssued + at);
    routing.receive(alice, batchOf(...addresses.map((address) => [address, bytes] as const)));
    expect(alice.takeMessages()).toEqual([addresses.map(goneFrom)]);
  });

  test("unused addresses get no answer where the link ends with the batch, by a bye or by a fault", () => {
    const { routing, join } = realmOf();
    const alice = join("alice");
    const nowhere = batchOf([neverIssued, bytes]);
    expect(routing.receive(alice, Uint8Array.of(...nowhere, ...toRouter({ kind: "bye" })))).toBe(false);
    expect(() => routing.receive(alice, Uint8Array.of(...nowhere, 0))).toThrow(ProtocolError);
    expect(alice.take()).toEqual([]);
  });
});

describe("a batch of many segments", () => {
  test("a batch of as many segments as are allowed is routed", () => {
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
  ])("a batch of too many segments throws at the header of the first one past the limit: %s", ([, address, frames]) => {
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

  test("the limit of segments counts those for the router, to unused addresses and without frames like any other", () => {
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

  test("a writer never makes a batch of too many segments, however many frames to however many addresses it gathers", () => {
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
    { kind: "routed", connection: 1, address: 2, session: "0".repeat(32), peer: "bob" },
    { kind: "refused", connection: 1, code: 1, reason: "" },
    { kind: "gone", address: 2, reason: 1 },
    { kind: "peers", request: 1, cursor: "", names: [] },
    { kind: "closing", code: 1000, delayMs: 0, reason: "" },
    { kind: "paired", address: 2, session: "0".repeat(32), peer: "x" },
    { kind: "absent", session: "0".repeat(32), reason: 1, peer: "x" },
    { kind: "mark", token: 1, budget: 1 },
  ];

  test.for(routersOwn)("a frame that only the router sends throws: $kind", (frame) => {
    const { routing, join, pair } = realmOf();
    const [alice, bob] = [join("alice"), join("bob")];
    pair(alice, bob);
    expect(() => routing.receive(alice, toRouter(frame))).toThrow(ProtocolError);
    expect(bob.take()).toEqual([]);
  });

  test("a peer frame to the router throws with its place in the batch", () => {
    const { routing, join } = realmOf();
    const alice = join("alice");
    const batch = Uint8Array.of(...toRouter(), ...toRouter({ kind: "stop", connection: 1 }));
    expect(() => routing.receive(alice, batch)).toThrow(expect.objectContaining({ name: "ProtocolError", offset: 16 }));
  });

  test("a batch that breaks a rule throws there, after everything before it was routed", () => {
    const { routing, join, pair } = realmOf();
    const [alice, bob] = [join("alice"), join("bob")];
    pair(alice, bob);
    const good = batchOf([bob.address, bytes]);
    const batch = Uint8Array.of(...good, ...batchOf([bob.address, bytes]).subarray(0, 9));
    expect(() => routing.receive(alice, batch)).toThrow(
      expect.objectContaining({ name: "ProtocolError", offset: good.length }),
    );
    expect(bob.take()).toEqual([{ kind: "segment", from: alice.address, bytes }]);
  });

  test("a frame that is unknown and ignorable is skipped, and the next one is read", () => {
    const { routing, join } = realmOf();
    const alice = join("alice");
    const unknown = Uint8Array.of(0xbf, 0, 0, 2, 1, 2);
    const list = toRouter({ kind: "list", request: 3, cursor: "" }).subarray(8);
    routing.receive(alice, batchOf([routerAddress, Uint8Array.of(...unknown, ...list)]));
    expect(alice.take()).toMatchObject([{ kind: "peers", request: 3 }]);
  });
});
