import { runInDurableObject } from "cloudflare:test";
import { closeCodes, goneReasons, heartbeat } from "@messagepasser/protocol";
import { describe, expect, test, vi } from "vitest";
import { Realm } from "./realm.ts";
import { type SegmentLink } from "../support/readings.ts";
import { expectTalk, pairUp } from "./pairs.ts";

interface Scene extends Disposable {
  readonly realm: Realm;
  readonly alice: SegmentLink;
  readonly bob: SegmentLink;
  readonly carol: SegmentLink;
  readonly addresses: { readonly from: number; readonly to: number };
}

/** Alice has opened to Bob; Carol talks with nobody. */
async function sceneOf(): Promise<Scene> {
  const realm = new Realm();
  const alice = await realm.join("alice");
  const bob = await realm.join("bob");
  const carol = await realm.join("carol");
  const addresses = await pairUp(alice, bob);
  const dispose = (): void => {
    for (const link of [alice, bob, carol]) link[Symbol.dispose]();
  };
  return { realm, alice, bob, carol, addresses, [Symbol.dispose]: dispose };
}

describe("a client that closes its link", () => {
  test.for([
    [1000, ""],
    [1001, "going away"],
    [3000, "x".repeat(123)],
    [4999, "é"],
  ] as const)(
    "a client that closes with %i is answered at once with the same, and its peers are told",
    async ([code, reason]) => {
      using scene = await sceneOf();
      const { alice, bob, carol, addresses } = scene;
      bob.close(code, reason);
      expect(await bob.closed()).toEqual({ code, reason });
      expect(bob.unread).toEqual([]);
      expect(await alice.next()).toEqual({ kind: "gone", address: addresses.to, reason: goneReasons.lost });
      await carol.expectNothing();
      await alice.expectNothing();
    },
  );

  test("a client that closes without a code is answered at once, and its peers are told", async () => {
    using scene = await sceneOf();
    const { alice, bob, addresses } = scene;
    bob.close();
    expect((await bob.closed()).code).toBeLessThan(1006);
    expect(await alice.next()).toEqual({ kind: "gone", address: addresses.to, reason: goneReasons.lost });
  });

  test.for([1, 2, 10])(
    "a client that closes right after it sent %i messages is heard to the end before it is gone",
    async (count) => {
      using scene = await sceneOf();
      const { alice, bob, addresses } = scene;
      for (let number = 0; number < count; number++) bob.toPeer(addresses.from, Uint8Array.of(number));
      bob.close(1000);
      for (let number = 0; number < count; number++) {
        expect(await alice.next()).toEqual({ kind: "segment", from: addresses.to, bytes: Uint8Array.of(number) });
      }
      expect(await alice.next()).toMatchObject({ kind: "gone", address: addresses.to });
    },
  );

  test("a client that closes right after it opened and sent is heard, though it was unknown before", async () => {
    using scene = await sceneOf();
    const { alice, carol } = scene;
    carol.open("alice", 5, Uint8Array.of(1, 2));
    carol.close(1000);
    const incoming = await alice.nextOf("open");
    expect(incoming).toMatchObject({ peer: "carol", connection: 5, first: Uint8Array.of(1, 2) });
    expect(await alice.next()).toEqual({ kind: "gone", address: incoming.address, reason: goneReasons.lost });
  });

  test("a client that closes right after it broke a rule is gone once", async () => {
    using scene = await sceneOf();
    const { alice, bob, addresses } = scene;
    bob.send(Uint8Array.of(1));
    bob.close(1000);
    await bob.closed();
    expect(await alice.next()).toEqual({ kind: "gone", address: addresses.to, reason: goneReasons.lost });
    await alice.expectNothing();
  });

  test("a client that closed its link is found by no open, no segment and no list", async () => {
    using scene = await sceneOf();
    const { alice, bob, addresses } = scene;
    bob.close(1000);
    await alice.nextOf("gone");
    alice.open("bob", 2);
    expect(await alice.next()).toMatchObject({ kind: "refused", connection: 2 });
    alice.toPeer(addresses.to, Uint8Array.of(1));
    expect(await alice.next()).toEqual({ kind: "gone", address: addresses.to, reason: goneReasons.lost });
    alice.toRouter({ kind: "list", request: 1, cursor: "" });
    expect(await alice.next()).toMatchObject({ kind: "peers", names: ["alice", "carol"] });
  });
});

describe("a client that says bye", () => {
  test("a client that says bye has its link closed, and its peers are told once that its session is over", async () => {
    using scene = await sceneOf();
    const { alice, bob, carol, addresses } = scene;
    bob.toRouter({ kind: "bye" });
    expect(await bob.closedByRouter()).toEqual({ code: 1000, reason: "Bye" });
    expect(await alice.next()).toEqual({ kind: "gone", address: addresses.to, reason: goneReasons.ended });
    await alice.expectNothing();
    await carol.expectNothing();
  });

  test("a client that says bye and closes at the same time ended its session, and isn't lost", async () => {
    using scene = await sceneOf();
    const { alice, bob, addresses } = scene;
    bob.toRouter({ kind: "bye" });
    bob.close(1000);
    await bob.closed();
    expect(await alice.next()).toEqual({ kind: "gone", address: addresses.to, reason: goneReasons.ended });
    await alice.expectNothing();
  });
});

// Codes that a peer's close frame can't or mustn't carry, but that the runtime may report. It throws for an answer with one.
describe("a close that the runtime reports with the code", () => {
  test.for([0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535])(
    "a close that the runtime reports with %i ends the link, and its peers are told",
    async (code) => {
      using scene = await sceneOf();
      const { realm, alice, bob, carol, addresses } = scene;
      await runInDurableObject(realm.stub, (object, state) => {
        const [socket] = state.getWebSockets("name:bob");
        if (socket === undefined) throw new Error("No socket");
        object.webSocketClose(socket, code, "");
      });
      expect(await alice.next()).toEqual({ kind: "gone", address: addresses.to, reason: goneReasons.lost });
      await bob.closed();
      await alice.expectNothing();
      await carol.expectNothing();
    },
  );
});

test("an error on a link tells its peers once, though a close follows", async () => {
  using scene = await sceneOf();
  const { realm, alice, addresses } = scene;
  await runInDurableObject(realm.stub, (object, state) => {
    const [socket] = state.getWebSockets("name:bob");
    if (socket === undefined) throw new Error("No socket");
    object.webSocketError(socket);
    object.webSocketClose(socket, 1006, "");
    object.webSocketError(socket);
  });
  expect(await alice.next()).toEqual({ kind: "gone", address: addresses.to, reason: goneReasons.lost });
  await alice.expectNothing();
});

describe("a text message", () => {
  test("a text message that is the heartbeat is answered", async () => {
    using scene = await sceneOf();
    const { alice, bob, addresses } = scene;
    alice.socket.send(heartbeat.ping);
    expect(await alice.next()).toEqual({ kind: "text", text: heartbeat.pong });
    await expectTalk(alice, bob, addresses);
  });

  test.for(["", "hello", heartbeat.pong, `${heartbeat.ping} `])(
    'a text message that is "%s" closes the link',
    async (text) => {
      using scene = await sceneOf();
      const { alice, bob, addresses } = scene;
      bob.socket.send(text);
      expect(await bob.closedByRouter()).toEqual({
        code: closeCodes.malformed,
        reason: "Text message on a binary format at byte 0",
      });
      expect(await alice.next()).toEqual({ kind: "gone", address: addresses.to, reason: goneReasons.lost });
    },
  );
});

test("a failure inside the router closes one link as retryable, without a word about the inside", async () => {
  using scene = await sceneOf();
  const { realm, alice, bob, carol, addresses } = scene;
  const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const failure = new Error("Internals of the runtime");
  await runInDurableObject(realm.stub, (_object, state) => {
    const [socket] = state.getWebSockets("name:alice");
    if (socket === undefined) throw new Error("No socket");
    vi.spyOn(socket, "send").mockImplementationOnce(() => {
      throw failure;
    });
  });
  bob.toPeer(addresses.from, Uint8Array.of(1));
  expect(await bob.closedByRouter()).toEqual({
    code: closeCodes.restarting,
    reason: "The router failed: connect again",
  });
  expect(bob.announcedDelayMs).toBeGreaterThan(0);
  expect(logged).toHaveBeenCalledExactlyOnceWith(expect.any(String), failure);
  logged.mockRestore();
  expect(await alice.next()).toEqual({ kind: "gone", address: addresses.to, reason: goneReasons.lost });
  await alice.expectNothing();
  await carol.expectNothing();
});
