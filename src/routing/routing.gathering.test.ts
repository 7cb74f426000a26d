import { limits, segmentHeaderBytes } from "@messagepasser/protocol";
import { describe, expect, test } from "vitest";
import { batchOf, openTo, toRouter } from "../../test/support/batches.ts";
import { crowdOf, type FakeLink, fill, realmOf } from "../../test/support/routing-fakes.ts";

const pieces = [Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3)] as const;

/** Alice, who is paired with both others. */
function threeOf({ join, pair }: ReturnType<typeof realmOf>): [FakeLink, FakeLink, FakeLink] {
  const [alice, bob, carol] = [join("alice"), join("bob"), join("carol")];
  pair(alice, bob);
  pair(alice, carol);
  return [alice, bob, carol];
}

describe("the output of one message for a link", () => {
  test("the output of one message for a link leaves as one message in order, whether it is a peer's or the router's", () => {
    const realm = realmOf();
    const [alice, bob, carol] = threeOf(realm);
    const before = batchOf([bob.address, pieces[0]], [carol.address, pieces[1]]);
    const after = batchOf([bob.address, pieces[2]]);
    realm.routing.receive(alice, Uint8Array.of(...before, ...toRouter(openTo("bob")), ...after));
    expect(bob.takeMessages()).toEqual([
      [
        { kind: "segment", from: alice.address, bytes: pieces[0] },
        expect.objectContaining({ kind: "open", address: alice.address }),
        { kind: "segment", from: alice.address, bytes: pieces[2] },
      ],
    ]);
    expect(carol.takeMessages()).toEqual([[{ kind: "segment", from: alice.address, bytes: pieces[1] }]]);
    expect(alice.takeMessages()).toEqual([[expect.objectContaining({ kind: "routed", address: bob.address })]]);
  });

  test("the output of one message doesn't wait for the next message", () => {
    const realm = realmOf();
    const [alice, bob] = threeOf(realm);
    for (const bytes of pieces) {
      realm.routing.receive(alice, batchOf([bob.address, bytes]));
      expect(bob.takeMessages()).toEqual([[{ kind: "segment", from: alice.address, bytes }]]);
    }
  });

  test("a large segment isn't copied, and small ones go before and behind it", () => {
    const realm = realmOf();
    const [alice, bob] = threeOf(realm);
    const sent: unknown[] = [];
    const send = bob.send.bind(bob);
    bob.send = (batch) => {
      if (typeof batch !== "string") sent.push(batch.buffer);
      send(batch);
    };
    const large = new Uint8Array(16_384);
    const batch = batchOf(
      [bob.address, pieces[0]],
      [bob.address, pieces[1]],
      [bob.address, large],
      [bob.address, pieces[2]],
    );
    realm.routing.receive(alice, batch);
    const from = alice.address;
    expect(bob.takeMessages()).toEqual([
      [
        { kind: "segment", from, bytes: pieces[0] },
        { kind: "segment", from, bytes: pieces[1] },
      ],
      [{ kind: "segment", from, bytes: large }],
      [{ kind: "segment", from, bytes: pieces[2] }],
    ]);
    expect(sent).toContain(batch.buffer);
  });

  test("output that is too long for one message leaves as several", () => {
    const realm = realmOf();
    const [alice, bob] = [realm.join("a".repeat(limits.maxNameBytes)), realm.join("bob")];
    const lengths: number[] = [];
    const send = bob.send.bind(bob);
    bob.send = (batch) => {
      lengths.push(batch.length);
      send(batch);
    };
    // The router adds the sender's name to each, so that there is more to pass on than came.
    const metadata = { text: "x".repeat(limits.maxMetadataBytes - 4) };
    const open = (connection: number): Uint8Array => toRouter(openTo("bob", { connection, metadata }));
    const count = Math.floor(limits.maxBatchBytes / open(1).length);
    const opens = Array.from({ length: count }, (_, at) => open(at + 1));
    realm.routing.receive(alice, new Uint8Array(Buffer.concat(opens)));
    const messages = bob.takeMessages();
    expect(messages.length).toBeGreaterThan(1);
    expect(messages.flat()).toHaveLength(count);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(limits.maxBatchBytes);
  });

  test("output reaches a link that ends by a later frame of the same message", () => {
    const realm = realmOf();
    const [alice, bob] = threeOf(realm);
    const chunk = new Uint8Array(10_000);
    const roomBytes = (): number => limits.maxUnreadBytes / 3 - limits.firstMarkBytes - realm.routing.unread.heldBytes;
    fill(realm, bob, crowdOf(realm, bob), 250);
    while (roomBytes() > 2 * chunk.length) realm.routing.receive(alice, batchOf([bob.address, chunk]));
    bob.take();
    realm.routing.receive(alice, batchOf([bob.address, pieces[0]], [bob.address, new Uint8Array(3 * chunk.length)]));
    expect(bob.closed).toBeDefined();
    expect(bob.takeMessages()).toEqual([[{ kind: "segment", from: alice.address, bytes: pieces[0] }]]);
  });

  test("output that stayed behind because another link's socket failed leaves with the next message", () => {
    const realm = realmOf();
    const [alice, bob, carol] = threeOf(realm);
    const send = bob.send.bind(bob);
    bob.send = () => {
      bob.send = send;
      throw new Error("Out of order");
    };
    const batch = batchOf([bob.address, pieces[0]], [carol.address, pieces[1]]);
    expect(() => realm.routing.receive(alice, batch)).toThrow("Out of order");
    realm.routing.receive(carol, batchOf([alice.address, pieces[2]]));
    expect(carol.take()).toEqual([{ kind: "segment", from: alice.address, bytes: pieces[1] }]);
    realm.routing.receive(alice, batchOf([bob.address, pieces[2]]));
    expect(bob.take()).toEqual([{ kind: "segment", from: alice.address, bytes: pieces[2] }]);
  });

  test("a link counts exactly the bytes that were sent to it", () => {
    const realm = realmOf();
    const [alice, bob] = threeOf(realm);
    const before = bob.sentBytes;
    realm.routing.receive(alice, batchOf(...pieces.map((bytes) => [bob.address, bytes] as const)));
    expect(bob.sentBytes - before).toBe(pieces.length * (segmentHeaderBytes + 1));
  });
});
