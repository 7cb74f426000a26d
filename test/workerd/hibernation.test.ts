import { abortAllDurableObjects, evictDurableObject, runInDurableObject } from "cloudflare:test";
import {
  closeCodes,
  errorCodes,
  goneReasons,
  heartbeat,
  limits,
  originalLimits,
  routerLimits,
} from "@messagepasser/protocol";
import { usageCounters } from "@messagepasser/protocol/admin";
import { describe, expect, test, vi } from "vitest";
import { attachedWatches } from "../../src/realm/attachment.ts";
import { SocketLink } from "../../src/realm/socket-link.ts";
import { Counters } from "../../src/realm/usage.ts";
import { longestInstance, mostServices } from "./attachments.ts";
import { Realm } from "./realm.ts";
import { newSession } from "../support/credentials.ts";
import { type SegmentLink } from "../support/readings.ts";
import { expectTalk, pairAgain, pairUp } from "./pairs.ts";

/** The longest name in an attachment: 128 bytes of UTF-8 whose last character makes the rest take two bytes each there. */
const longestName = `${"n".repeat(125)}亀`;

/** The whole life of a realm, with `between` after every step. Returns how many steps there were. */
async function liveALife(between: (realm: Realm, step: number) => Promise<void>): Promise<number> {
  const realm = new Realm();
  const addresses: number[] = [];
  let steps = 0;
  const step = (): Promise<void> => between(realm, steps++);
  const bobsSession = newSession();
  const { secret: bobsSecret } = await realm.add("bob");

  using alice = await realm.join("alice");
  await step();
  using bob = await realm.link("bob", bobsSecret, bobsSession);
  await step();
  const toBob = await pairUp(alice, bob);
  await step();
  await expectTalk(alice, bob, toBob);
  await step();
  await expectTalk(alice, bob, toBob);
  using carol = await realm.join("carol");
  await step();
  const toAlice = await pairUp(carol, alice);
  await step();
  await expectTalk(carol, alice, toAlice);
  await step();

  bob.close(1000, "see you");
  expect(await bob.closed()).toEqual({ code: 1000, reason: "see you" });
  expect(await alice.next()).toEqual({ kind: "gone", address: toBob.to, reason: goneReasons.lost });
  await step();
  using bobAgain = await realm.link("bob", bobsSecret, bobsSession, "desk");
  await step();
  alice.toPeer(toBob.to, Uint8Array.of(1));
  expect(await alice.next()).toEqual({ kind: "gone", address: toBob.to, reason: goneReasons.lost });
  const toBobAgain = await pairUp(bobAgain, alice);
  await step();
  await expectTalk(bobAgain, alice, toBobAgain);
  await step();

  using bobAnew = await realm.link("bob", bobsSecret, undefined, "desk");
  expect(await bobAgain.closedByRouter()).toMatchObject({ code: closeCodes.superseded });
  expect(await alice.next()).toEqual({ kind: "gone", address: toBobAgain.from, reason: goneReasons.superseded });
  await step();
  const toBobAnew = await pairUp(alice, bobAnew);
  await step();
  await expectTalk(alice, bobAnew, toBobAnew);
  bobAnew.toRouter({ kind: "bye" });
  expect(await bobAnew.closedByRouter()).toEqual({ code: 1000, reason: "Bye" });
  expect(await alice.next()).toEqual({ kind: "gone", address: toBobAnew.to, reason: goneReasons.ended });
  await step();

  await expectTalk(carol, alice, toAlice);
  await step();
  await realm.rotate("carol");
  expect(await carol.closedByRouter()).toMatchObject({ code: closeCodes.revoked });
  expect(await alice.next()).toEqual({ kind: "gone", address: toAlice.from, reason: goneReasons.ended });
  await step();
  alice.toRouter({ kind: "list", request: 1, cursor: "" });
  expect(await alice.next()).toEqual({ kind: "peers", request: 1, cursor: "", names: ["alice"] });

  addresses.push(toBob.from, toBob.to, toAlice.from, toBobAgain.from, toBobAnew.to);
  expect(new Set(addresses).size).toBe(addresses.length);
  expect([toAlice.to, toBobAgain.to, toBobAnew.from]).toEqual([toBob.from, toBob.from, toBob.from]);
  return steps;
}

describe("an object that hibernates", () => {
  test("an object that hibernates after any one step goes on unchanged", async () => {
    const steps = await liveALife(() => Promise.resolve());
    expect(steps).toBeGreaterThan(10);
    for (let chosen = 0; chosen < steps; chosen++) {
      await liveALife(async (realm, step) => {
        if (step === chosen) await evictDurableObject(realm.stub);
      });
    }
  }, 60_000);

  test("an object that hibernates after every step goes on unchanged", async () => {
    await liveALife((realm) => evictDurableObject(realm.stub));
  });

  test("a hibernating object's heartbeats are answered without waking it", async () => {
    const realm = new Realm();
    using alice = await realm.join("alice");
    await evictDurableObject(realm.stub);
    alice.socket.send(heartbeat.ping);
    expect(await alice.next()).toEqual({ kind: "text", text: heartbeat.pong });
    // Only what runs can be evicted.
    await expect(evictDurableObject(realm.stub)).rejects.toThrow(/not.*running/i);
    expect(await alice.outcome()).toBe("open");
    await evictDurableObject(realm.stub);
  });

  test("no pair is lost when links come back to memory in different ways", async () => {
    const realm = new Realm();
    using alice = await realm.join("alice");
    using bob = await realm.join("bob");
    using carol = await realm.join("carol");
    using dave = await realm.join("dave");
    await evictDurableObject(realm.stub);
    // Bob's link comes back by its name first, then by an event of its own socket, then by its address.
    const toBob = await pairUp(alice, bob);
    const toCarol = await pairUp(bob, carol);
    bob.toPeer(toBob.from, Uint8Array.of(7));
    expect(await alice.next()).toEqual({ kind: "segment", from: toBob.to, bytes: Uint8Array.of(7) });
    const fromDave = await pairUp(dave, bob);
    await evictDurableObject(realm.stub);
    await expectTalk(bob, carol, toCarol);
    await expectTalk(alice, bob, toBob);
    await expectTalk(dave, bob, fromDave);
    await evictDurableObject(realm.stub);
    bob.close(1000);
    for (const link of [alice, carol, dave])
      expect(await link.next()).toMatchObject({ kind: "gone", address: toBob.to });
  });

  test("an object finds one and the same socket in every way that it looks it up", async () => {
    const realm = new Realm();
    using alice = await realm.join("alice");
    const address = await alice.ownAddress();
    await evictDurableObject(realm.stub);
    let ofEvent: WebSocket | undefined;
    await runInDurableObject(realm.stub, (object) => {
      const { webSocketMessage } = object;
      object.webSocketMessage = (socket, message) => {
        ofEvent = socket;
        webSocketMessage.call(object, socket, message);
      };
    });
    expect(await alice.outcome()).toBe("open");
    await runInDurableObject(realm.stub, (_object, state) => {
      expect(ofEvent).toBeDefined();
      for (const tag of ["name:alice", `address:${address}`, undefined]) {
        const sockets = state.getWebSockets(tag);
        expect(sockets).toHaveLength(1);
        expect(sockets[0] === ofEvent, String(tag)).toBe(true);
      }
    });
  });

  test("an object looks only at the links that a frame is about, however many there are", async () => {
    const realm = new Realm();
    using alice = await realm.join("alice");
    using bob = await realm.join("bob");
    using carol = await realm.join("carol");
    const idle = await Promise.all(Array.from({ length: 20 }, (_, at) => realm.join(`idle ${at}`)));
    const toBob = await pairUp(alice, bob);
    const acts = [
      () => expectTalk(alice, bob, toBob),
      () => pairUp(alice, carol),
      () => pairAgain(carol, alice),
      async () => {
        carol.close(1000);
        await alice.nextOf("gone");
      },
    ];
    for (const act of acts) {
      await evictDurableObject(realm.stub);
      const spies = await runInDurableObject(realm.stub, (_object, state) => {
        const untouched = state.getWebSockets().filter((socket) => state.getTags(socket).join().includes("idle"));
        return {
          list: vi.spyOn(state, "getWebSockets"),
          reads: untouched.map((socket) => vi.spyOn(socket, "deserializeAttachment")),
        };
      });
      await act();
      for (const [tag] of spies.list.mock.calls) expect(tag).toMatch(/^(name|address):/);
      expect(spies.list).toHaveBeenCalled();
      expect(spies.reads).toHaveLength(20);
      for (const read of spies.reads) expect(read).not.toHaveBeenCalled();
    }
    for (const link of idle) link[Symbol.dispose]();
  });

  test("an object that wakes hears everything that a client sent right before its close, and then that it is gone", async () => {
    const realm = new Realm();
    using alice = await realm.join("alice");
    using bob = await realm.join("bob");
    using carol = await realm.join("carol");
    const toBob = await pairUp(alice, bob);
    await evictDurableObject(realm.stub);
    bob.toPeer(toBob.from, Uint8Array.of(1));
    bob.open("carol", 2);
    bob.close(1000);
    expect(await alice.next()).toEqual({ kind: "segment", from: toBob.to, bytes: Uint8Array.of(1) });
    expect(await carol.next()).toMatchObject({ kind: "open", peer: "bob", connection: 2 });
    for (const link of [alice, carol]) {
      expect(await link.next()).toEqual({ kind: "gone", address: toBob.to, reason: goneReasons.lost });
    }
  });

  test("a name stays with its new link when the old one's close is handled only afterwards", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("bob");
    using alice = await realm.join("alice");
    using old = await realm.link("bob", secret);
    const toOld = await pairUp(alice, old);
    await evictDurableObject(realm.stub);
    let handleClose: (() => void) | undefined;
    await runInDurableObject(realm.stub, (object) => {
      const { webSocketClose } = object;
      object.webSocketClose = (...close) => {
        handleClose = () => webSocketClose.apply(object, close);
      };
    });
    old.close(1000);
    await expect.poll(() => handleClose).toBeDefined();
    using heir = await realm.link("bob", secret);
    await runInDurableObject(realm.stub, () => handleClose?.());
    expect(await old.closed()).toMatchObject({ code: 1000 });
    expect(await alice.next()).toEqual({ kind: "gone", address: toOld.to, reason: goneReasons.lost });
    await expectTalk(alice, heir, await pairUp(alice, heir));
  });

  test("an object forgets gone links in its stored state, too", async () => {
    const realm = new Realm();
    using alice = await realm.join("alice");
    using bob = await realm.join("bob");
    await pairUp(alice, bob);
    const pairsOf = (name: string): Promise<number> =>
      runInDurableObject(realm.stub, (_object, state) => {
        const [socket] = state.getWebSockets(`name:${name}`);
        const link = socket && SocketLink.restore(state, new Counters(0), socket);
        return [...(link?.pairs ?? [])].length;
      });
    expect(await pairsOf("alice")).toBe(1);
    bob.close(1000);
    await alice.nextOf("gone");
    expect(await pairsOf("alice")).toBe(0);
  });

  test("a list after a wake names every client", async () => {
    const realm = new Realm();
    const names = ["alice", "bob", "carol", longestName];
    const links = await Promise.all(names.map((name) => realm.join(name)));
    await evictDurableObject(realm.stub);
    links[0]?.toRouter({ kind: "list", request: 1, cursor: "" });
    expect(await links[0]?.next()).toEqual({ kind: "peers", request: 1, cursor: "", names });
    for (const link of links) link[Symbol.dispose]();
  });
});

describe("watches", () => {
  test("a watch outlives hibernation: who comes and who goes wakes the object, and is told", async () => {
    const realm = new Realm();
    using alice = await realm.join("alice");
    const { secret } = await realm.add("bob");
    const bob = await realm.link("bob", secret);
    alice.toRouter({ kind: "watch", request: 7, pattern: "b*" });
    await alice.until((item) => "kind" in item && item.kind === "snapshot" && item.complete === 1, "the snapshot");
    await asleep(realm);
    bob.close(1000);
    expect(await alice.next()).toMatchObject({ kind: "left", request: 7, name: "bob" });
    await asleep(realm);
    using again = await realm.link("bob", secret);
    expect(await alice.next()).toMatchObject({
      kind: "present",
      request: 7,
      name: "bob",
      session: again.welcome.session,
    });
    await asleep(realm);
    alice.toRouter({ kind: "unwatch", request: 7 });
    await alice.expectNothing();
    await asleep(realm);
    using carol = await realm.join("bobby");
    await carol.expectOpen();
    await alice.expectNothing();
  });

  /** The object sleeps once what it has to do a second later is done. */
  async function asleep(realm: Realm): Promise<void> {
    const isNoted = (): Promise<boolean> =>
      runInDurableObject(realm.stub, (_object, state) => state.storage.kv.get("watching") !== undefined);
    await expect.poll(isNoted).toBe(true);
    await evictDurableObject(realm.stub);
  }
});

describe("addresses", () => {
  test("addresses are never given twice, over evictions with and without sockets, aborts and more links than a block has", async () => {
    const realm = new Realm();
    const addresses: number[] = [];
    const connect = async (count: number): Promise<void> => {
      // A name of its own for each call: a client may not connect as often.
      const name = `client ${count} ${addresses.length}`;
      const { secret } = await realm.add(name);
      for (let number = 0; number < count; number++) {
        using link = await realm.link(name, secret);
        addresses.push(await link.ownAddress());
      }
    };
    await connect(70);
    await evictDurableObject(realm.stub);
    await connect(3);
    await evictDurableObject(realm.stub, { webSockets: "close" });
    await connect(3);
    await abortAllDurableObjects();
    await connect(33);
    expect(new Set(addresses).size).toBe(70 + 3 + 3 + 33);
    expect(Math.min(...addresses)).toBeGreaterThan(0);
  });

  test("addresses of another realm lead nowhere: each realm counts for itself and passes on nothing", async () => {
    const [home, work] = [new Realm(), new Realm()];
    using alice = await home.join("alice");
    using bob = await work.join("bob");
    using carol = await work.join("carol");
    const { to } = await pairUp(bob, carol);
    alice.toPeer(to, Uint8Array.of(1));
    expect(await alice.next()).toEqual({ kind: "gone", address: to, reason: goneReasons.lost });
    await carol.expectNothing();
  });
});

describe("an object that is gone with its sockets", () => {
  test("an object that lost its sockets takes every client back, with no old names or pairs in the way", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("bob");
    const session = newSession();
    using alice = await realm.join("alice");
    using bob = await realm.link("bob", secret, session);
    const before = await pairUp(alice, bob);
    await evictDurableObject(realm.stub, { webSockets: "close" });
    expect((await alice.closed()).code).toBe(1006);
    expect((await bob.closed()).code).toBe(1006);
    using bobAgain = await realm.link("bob", secret, session);
    bobAgain.open("alice");
    expect(await bobAgain.next()).toMatchObject({ kind: "refused", code: errorCodes.peerAbsent });
    bobAgain.toPeer(before.from, Uint8Array.of(1));
    expect(await bobAgain.next()).toMatchObject({ kind: "gone", address: before.from });
  });
});

describe("an attachment that this version can't read", () => {
  const unreadable = {
    code: closeCodes.unreadableState,
    reason: "This link was made by another version of the router: connect again",
  };
  const attachments: [string, unknown][] = [
    ["of a later version", { version: 3, address: 1, name: "bob" }],
    ["of an earlier version", { version: 1, address: 1, name: "bob" }],
    ["without a version", { address: 1, name: "bob" }],
    ["that is a text", "bob"],
    ["that is a list", [1]],
    ["that is null", null],
  ];

  interface Scene {
    readonly realm: Realm;
    readonly alice: SegmentLink;
    readonly bob: SegmentLink;
    readonly carol: SegmentLink;
    readonly dave: SegmentLink;
    readonly toBob: { readonly from: number; readonly to: number };
    readonly toCarol: { readonly from: number; readonly to: number };
    readonly secret: string;
  }

  /** Alice and Dave are paired with Bob, and Alice with Carol; then the object forgets what it knew of Bob's link. */
  async function withUnreadableBob(attachment: unknown, run: (scene: Scene) => Promise<void>): Promise<void> {
    const realm = new Realm();
    const { secret } = await realm.add("bob");
    using alice = await realm.join("alice");
    using bob = await realm.link("bob", secret);
    using carol = await realm.join("carol");
    const toBob = await pairUp(alice, bob);
    using dave = await realm.join("dave");
    await pairUp(dave, bob);
    const toCarol = await pairUp(alice, carol);
    await runInDurableObject(realm.stub, (_object, state) => {
      for (const socket of state.getWebSockets("name:bob")) socket.serializeAttachment(attachment);
    });
    await evictDurableObject(realm.stub);
    await run({ realm, alice, bob, carol, dave, toBob, toCarol, secret });
  }

  const occasions: [string, (scene: Scene) => Promise<void>][] = [
    [
      "opens to its name",
      async ({ alice }) => {
        alice.open("bob", 9);
        expect(await alice.next()).toMatchObject({ kind: "refused", connection: 9, code: errorCodes.peerAbsent });
      },
    ],
    [
      "sends to its address",
      async ({ alice, toBob }) => {
        alice.toPeer(toBob.to, Uint8Array.of(1));
        expect(await alice.next()).toEqual({ kind: "gone", address: toBob.to, reason: goneReasons.lost });
      },
    ],
    [
      "asks for the list",
      async ({ alice }) => {
        alice.toRouter({ kind: "list", request: 1, cursor: "" });
        expect(await alice.next()).toEqual({
          kind: "peers",
          request: 1,
          cursor: "",
          names: ["alice", "carol", "dave"],
        });
      },
    ],
    [
      "that it was paired with leaves",
      async ({ dave }) => {
        dave.close(1000);
        expect(await dave.closed()).toMatchObject({ code: 1000 });
      },
    ],
  ];

  const cases = attachments.flatMap(([what, attachment]) =>
    occasions.map(([occasion, act]) => ({ what, attachment, occasion, act })),
  );
  test.for(cases)(
    "an idle link with an attachment $what is closed as retryable as soon as a client $occasion, and its client can come back",
    async ({ attachment, act }) => {
      await withUnreadableBob(attachment, async (scene) => {
        const { realm, alice, bob, carol, toCarol, secret } = scene;
        await act(scene);
        expect(await bob.closedByRouter()).toEqual(unreadable);
        expect(bob.announcedDelayMs).toBe(1_000);
        expect(bob.unread).toEqual([]);
        await expectTalk(alice, carol, toCarol);
        using bobAgain = await realm.link("bob", secret);
        await expectTalk(alice, bobAgain, await pairUp(alice, bobAgain));
      });
    },
  );

  test.for(attachments)(
    "a link with an attachment %s is closed as retryable at its own next message",
    async ([, attachment]) => {
      await withUnreadableBob(attachment, async ({ alice, bob, toBob }) => {
        bob.toPeer(toBob.from, Uint8Array.of(1));
        expect(await bob.closedByRouter()).toEqual(unreadable);
        expect(bob.unread).toEqual([]);
        await alice.expectNothing();
      });
    },
  );

  test.for(attachments)(
    "a link with an attachment %s is closed when its client connects again",
    async ([, attachment]) => {
      await withUnreadableBob(attachment, async ({ realm, alice, bob, secret }) => {
        using bobAgain = await realm.link("bob", secret);
        expect(await bob.closedByRouter()).toEqual(unreadable);
        await expectTalk(alice, bobAgain, await pairUp(alice, bobAgain));
      });
    },
  );

  test("an unreadable link is told about once, however often it is looked up before its end has come through", async () => {
    await withUnreadableBob({ version: 3 }, async ({ alice, bob, toBob }) => {
      alice.open("bob", 9);
      alice.toPeer(toBob.to, Uint8Array.of(1));
      alice.toRouter({ kind: "list", request: 1, cursor: "" });
      for (const kind of ["refused", "gone", "peers"] as const) await alice.nextOf(kind);
      expect(await bob.closedByRouter()).toEqual(unreadable);
      expect(bob.unread).toEqual([]);
    });
  });

  test("an unreadable link that was not looked up may be closed by its client", async () => {
    await withUnreadableBob({ version: 3 }, async ({ alice, bob }) => {
      bob.close(1000, "see you");
      expect(await bob.closed()).toEqual({ code: 1000, reason: "see you" });
      expect(bob.unread).toEqual([]);
      await alice.expectNothing();
    });
  });
});

describe("a link with the most pairs", () => {
  /** Fills links' lists with addresses that nobody has. */
  async function fill(realm: Realm, ...names: readonly string[]): Promise<void> {
    // The object's own view of the link must not outlive what is written here, on either side.
    await evictDurableObject(realm.stub);
    await runInDurableObject(realm.stub, (_object, state) => {
      for (const name of names) {
        const [socket] = state.getWebSockets(`name:${name}`);
        const link = socket && SocketLink.restore(state, new Counters(0), socket);
        if (link === undefined) throw new Error("No link");
        let count = [...link.pairs].length;
        while (link.pairs.add(0xffff_ffff - count)) count++;
        expect(count).toBe(routerLimits.maxPairs);
      }
    });
    await evictDurableObject(realm.stub);
  }

  test("a link with the most pairs still fits its attachment, with the longest name, and the limit is near", async () => {
    const realm = new Realm();
    expect(new TextEncoder().encode(longestName)).toHaveLength(128);
    using full = await realm.join(longestName);
    await fill(realm, longestName);
    using alice = await realm.join("alice");
    await pairUp(alice, full);
    await runInDurableObject(realm.stub, (_object, state) => {
      const [socket] = state.getWebSockets(`name:${longestName}`);
      if (socket === undefined) throw new Error("No socket");
      const attachment = socket.deserializeAttachment() as { pairs: Uint32Array; usage: number[] };
      expect(attachment.pairs).toHaveLength(routerLimits.maxPairs);
      expect(attachment).toMatchObject({ name: longestName, overflowed: true });
      const serves = new Uint8Array(routerLimits.maxInvitationServesBytes);
      const grant = { host: longestName, peer: longestName, protocol: longestName, serves, expiresAtMs: 0 };
      const formatMemory = new Uint8Array(originalLimits.maxGobDefinitionBytes);
      const usage = Array.from({ length: 1 + usageCounters.length }, () => Number.MAX_SAFE_INTEGER);
      expect(attachment.usage).toHaveLength(usage.length);
      const most = { ...attachment, instance: longestInstance, services: mostServices, formatMemory, grant, usage };
      socket.serializeAttachment(most);
      // A link that watches has no memory of its format.
      const watches = Array.from({ length: limits.maxWatches }, (_, request) => ({ request, pattern: longestName }));
      const watching = attachedWatches({ watches, isBehind: true });
      socket.serializeAttachment({ ...most, formatMemory: new Uint8Array(), ...watching });
      // What a client calls its peers on other shards takes room from its pairs.
      const calls = new Uint8Array(2 * routerLimits.maxPairs);
      socket.serializeAttachment({ ...most, pairs: new Uint32Array(routerLimits.maxPairs / 2), calls });
      const tooMany = { ...most, pairs: new Uint32Array(routerLimits.maxPairs + 500) };
      expect(() => socket.serializeAttachment(tooMany)).toThrow(/16384/);
    });
    expect(await full.outcome()).toBe("open");
  });

  test("a link with the most pairs talks with newcomers on the strength of their entries, over hibernation, and they are told about its end", async () => {
    const realm = new Realm();
    using full = await realm.join("full");
    using alice = await realm.join("alice");
    using bob = await realm.join("bob");
    using stranger = await realm.join("stranger");
    await fill(realm, "full");
    const toFull = await pairUp(alice, full);
    const toBob = await pairUp(full, bob);
    await expectTalk(alice, full, toFull);
    await evictDurableObject(realm.stub);
    await expectTalk(alice, full, toFull);
    await expectTalk(full, bob, toBob);
    await evictDurableObject(realm.stub);
    full.close(1000);
    expect(await alice.next()).toMatchObject({ kind: "gone", address: toFull.to });
    expect(await bob.next()).toMatchObject({ kind: "gone", address: toFull.to });
    await stranger.expectNothing();
  });

  test("a link with the most pairs is told why the router closes it, though all links are searched for its peers meanwhile", async () => {
    const realm = new Realm();
    using full = await realm.join("full");
    using alice = await realm.join("alice");
    await fill(realm, "full");
    const toFull = await pairUp(alice, full);
    full.toRouter({ kind: "bye" });
    expect(await full.closedByRouter()).toEqual({ code: 1000, reason: "Bye" });
    expect(await alice.next()).toEqual({ kind: "gone", address: toFull.to, reason: goneReasons.ended });
  });

  test("a link with the most pairs is told about ends of unlisted peers, and is refused pairs with links as full as it is", async () => {
    const realm = new Realm();
    using full = await realm.join("full");
    using alsoFull = await realm.join("also full");
    using alice = await realm.join("alice");
    await fill(realm, "full", "also full");
    const toFull = await pairUp(alice, full);
    full.open("also full", 3);
    expect(await full.next()).toMatchObject({ kind: "refused", connection: 3, code: errorCodes.busy });
    await alsoFull.expectNothing();
    await evictDurableObject(realm.stub);
    alice.close(1000);
    expect(await full.next()).toEqual({ kind: "gone", address: toFull.from, reason: goneReasons.lost });
    await alsoFull.expectNothing();
  });
});
