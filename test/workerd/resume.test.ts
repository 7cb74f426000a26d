import { abortAllDurableObjects, evictDurableObject, runInDurableObject } from "cloudflare:test";
import { anySession, closeCodes, encodeBatch, errorCodes, goneReasons, limits } from "@messagepasser/protocol";
import { describe, expect, test } from "vitest";
import { Realm } from "./realm.ts";
import { newSession } from "../support/credentials.ts";
import { type SegmentLink } from "../support/readings.ts";
import { expectTalk, pairAgain, pairUp } from "./pairs.ts";

interface Scene extends AsyncDisposable {
  readonly realm: Realm;
  readonly aliceSecret: string;
  readonly bobSecret: string;
  readonly aliceSession: string;
  readonly bobSession: string;
  alice: SegmentLink;
  bob: SegmentLink;
}

async function sceneOf(): Promise<Scene> {
  const realm = new Realm();
  const [{ secret: aliceSecret }, { secret: bobSecret }] = [await realm.add("alice"), await realm.add("bob")];
  const [aliceSession, bobSession] = [newSession(), newSession()];
  const scene = {
    realm,
    aliceSecret,
    bobSecret,
    aliceSession,
    bobSession,
    alice: await realm.link("alice", aliceSecret, aliceSession),
    bob: await realm.link("bob", bobSecret, bobSession),
  };
  const dispose = (): Promise<void> => {
    for (const link of [scene.alice, scene.bob]) link[Symbol.dispose]();
    return Promise.resolve();
  };
  return Object.assign(scene, { [Symbol.asyncDispose]: dispose });
}

function backOf(scene: Scene, who: "alice" | "bob"): Promise<SegmentLink> {
  const { realm, aliceSecret, bobSecret, aliceSession, bobSession } = scene;
  return who === "alice" ? realm.link("alice", aliceSecret, aliceSession) : realm.link("bob", bobSecret, bobSession);
}

describe("a client that comes back in its session", () => {
  test("a client that comes back resumes with a peer that stayed, at new addresses, whichever of the two asks", async () => {
    for (const asker of ["alice", "bob"] as const) {
      await using scene = await sceneOf();
      const before = await pairUp(scene.alice, scene.bob);
      scene.bob.close(1000);
      expect(await scene.alice.next()).toEqual({ kind: "gone", address: before.to, reason: goneReasons.lost });
      scene.bob = await backOf(scene, "bob");
      const [from, to] = asker === "alice" ? [scene.alice, scene.bob] : [scene.bob, scene.alice];
      const addresses = await pairAgain(from, to);
      const [aliceNow, bobNow] = asker === "alice" ? [addresses.from, addresses.to] : [addresses.to, addresses.from];
      expect(aliceNow).toBe(before.from);
      expect(bobNow).not.toBe(before.to);
      await expectTalk(from, to, addresses);
      await scene.alice.expectNothing();
    }
  });

  test("a client that comes back is told that a peer is absent as long as it is, and finds it when it is back", async () => {
    await using scene = await sceneOf();
    await pairUp(scene.alice, scene.bob);
    scene.bob.close(1000);
    await scene.alice.nextOf("gone");
    for (let count = 0; count < 3; count++) {
      scene.alice.resume("bob", scene.bobSession);
      const absent = { kind: "absent", session: scene.bobSession, reason: goneReasons.lost, peer: "bob" };
      expect(await scene.alice.next()).toEqual(absent);
    }
    scene.bob = await backOf(scene, "bob");
    await expectTalk(scene.alice, scene.bob, await pairAgain(scene.alice, scene.bob));
  });

  test("a client that comes back is told for good that a peer's session ended when another session has its instance", async () => {
    await using scene = await sceneOf();
    const { realm, bobSecret, bobSession } = scene;
    scene.bob = await realm.link("bob", bobSecret, bobSession, "desk");
    await pairUp(scene.alice, scene.bob);
    const old = scene.bob;
    scene.bob = await realm.link("bob", bobSecret, undefined, "desk");
    expect(await old.closedByRouter()).toMatchObject({ code: closeCodes.superseded });
    expect(await scene.alice.nextOf("gone")).toMatchObject({ reason: goneReasons.superseded });
    scene.alice.resume("bob:desk", bobSession);
    const absent = { kind: "absent", session: bobSession, reason: goneReasons.superseded, peer: "bob:desk" };
    expect(await scene.alice.next()).toEqual(absent);
    // Also an open that the old session may have got.
    scene.alice.open("bob:desk", 1, new Uint8Array(), bobSession);
    expect(await scene.alice.next()).toMatchObject({ kind: "refused", connection: 1, code: errorCodes.peerReplaced });
    await scene.bob.expectNothing();
    // And there is nothing wrong with the new one.
    scene.alice.open("bob", 2, new Uint8Array(), scene.bob.session);
    expect(await scene.alice.nextOf("routed")).toMatchObject({ session: scene.bob.session });
  });

  test("a client that comes back before its old link has ended loses that, and resumes over the new one", async () => {
    await using scene = await sceneOf();
    const before = await pairUp(scene.alice, scene.bob);
    const old = scene.bob;
    scene.bob = await backOf(scene, "bob");
    expect(await old.closedByRouter()).toMatchObject({ code: closeCodes.replaced });
    expect(old.announcedDelayMs).toBe(0);
    expect(await scene.alice.next()).toEqual({ kind: "gone", address: before.to, reason: goneReasons.lost });
    await expectTalk(scene.bob, scene.alice, await pairAgain(scene.bob, scene.alice));
  });

  test("a client that comes back may resume with itself", async () => {
    await using scene = await sceneOf();
    const { alice } = scene;
    const address = await alice.ownAddress();
    alice.resume("alice", alice.session);
    for (let count = 0; count < 2; count++) {
      expect(await alice.next()).toEqual({ kind: "paired", address, session: alice.session, peer: "alice" });
    }
    alice.toPeer(address, Uint8Array.of(1));
    expect(await alice.next()).toMatchObject({ kind: "segment", from: address });
  });
});

/** A loss and a resume between two clients, with `between` after every step. Returns how many steps there were. */
async function fallAndRise(between: (realm: Realm, step: number) => Promise<void>): Promise<number> {
  await using scene = await sceneOf();
  let steps = 0;
  const step = (): Promise<void> => between(scene.realm, steps++);
  const before = await pairUp(scene.alice, scene.bob);
  await step();
  await expectTalk(scene.alice, scene.bob, before);
  await step();
  // Bob's link goes.
  scene.bob.close(1000);
  expect(await scene.alice.next()).toEqual({ kind: "gone", address: before.to, reason: goneReasons.lost });
  await step();
  scene.alice.resume("bob", scene.bobSession);
  expect(await scene.alice.next()).toMatchObject({ kind: "absent", reason: goneReasons.lost });
  await step();
  scene.bob = await backOf(scene, "bob");
  await step();
  const between1 = await pairAgain(scene.alice, scene.bob);
  await step();
  await expectTalk(scene.alice, scene.bob, between1);
  await step();
  // Alice's is replaced.
  const old = scene.alice;
  scene.alice = await backOf(scene, "alice");
  expect(await old.closedByRouter()).toMatchObject({ code: closeCodes.replaced });
  expect(await scene.bob.next()).toEqual({ kind: "gone", address: between1.from, reason: goneReasons.lost });
  await step();
  // Both ask, so each is told twice.
  const between2 = await pairAgain(scene.alice, scene.bob);
  expect(await pairAgain(scene.bob, scene.alice)).toEqual({ from: between2.to, to: between2.from });
  await step();
  await expectTalk(scene.alice, scene.bob, between2);
  // Segments to former addresses reach no link.
  for (const address of [before.to, between1.from]) {
    scene.bob.toPeer(address, Uint8Array.of(1));
    expect(await scene.bob.next()).toEqual({ kind: "gone", address, reason: goneReasons.lost });
  }
  await step();
  // An open that was sent before goes to the same session.
  scene.alice.open("bob", 7, new Uint8Array(), scene.bobSession);
  expect(await scene.bob.nextOf("open")).toMatchObject({ connection: 7, address: between2.from });
  expect(await scene.alice.nextOf("routed")).toMatchObject({ session: scene.bobSession });
  await step();
  // Another session takes the instance.
  const { realm, bobSecret, bobSession } = scene;
  const superseded = await realm.link("bob", bobSecret, bobSession, "desk");
  await scene.alice.nextOf("gone");
  await pairUp(scene.alice, superseded);
  scene.bob = await realm.link("bob", bobSecret, undefined, "desk");
  expect(await superseded.closedByRouter()).toMatchObject({ code: closeCodes.superseded });
  expect(await scene.alice.next()).toMatchObject({ kind: "gone", reason: goneReasons.superseded });
  await step();
  scene.alice.resume("bob:desk", bobSession);
  expect(await scene.alice.next()).toMatchObject({ kind: "absent", reason: goneReasons.superseded });
  await step();
  return steps;
}

describe("an object that hibernates", () => {
  test("an object that hibernates after any one step of a loss and a resume goes on unchanged", async () => {
    const steps = await fallAndRise(() => Promise.resolve());
    expect(steps).toBeGreaterThan(10);
    for (let chosen = 0; chosen < steps; chosen++) {
      await fallAndRise(async (realm, step) => {
        if (step === chosen) await evictDurableObject(realm.stub, { webSockets: "hibernate" });
      });
    }
  }, 60_000);

  test("an object that hibernates after every step of a loss and a resume goes on unchanged", async () => {
    await fallAndRise((realm) => evictDurableObject(realm.stub, { webSockets: "hibernate" }));
  });
});

describe("an object that is gone with its sockets", () => {
  const ways: [string, (realm: Realm) => Promise<void>][] = [
    ["is evicted", (realm) => evictDurableObject(realm.stub, { webSockets: "close" })],
    ["aborts", () => abortAllDurableObjects()],
  ];
  const states: [string, (scene: Scene) => Promise<void>][] = [
    ["before anything was opened", () => Promise.resolve()],
    ["when two talk", async ({ alice, bob }) => expectTalk(alice, bob, await pairUp(alice, bob))],
    [
      "right after an open was sent",
      ({ alice }) => {
        alice.open("bob", 1, Uint8Array.of(1));
        return Promise.resolve();
      },
    ],
    [
      "when one was gone already",
      async ({ alice, bob }) => {
        await pairUp(alice, bob);
        bob.close(1000);
        await bob.closed();
        await alice.nextOf("gone");
      },
    ],
    ["when two had resumed", async ({ alice, bob }) => void (await pairAgain(alice, bob))],
  ];
  const cases = ways.flatMap(([way, end]) => states.map(([state, reach]) => ({ way, end, state, reach })));

  test.for(cases)(
    "an object that lost its sockets as it $way $state takes both clients back in their sessions, and they resume",
    async ({ end, reach }) => {
      await using scene = await sceneOf();
      await reach(scene);
      await end(scene.realm);
      await Promise.all([scene.alice.closed(), scene.bob.closed()]);
      scene.alice = await backOf(scene, "alice");
      scene.alice.resume("bob", scene.bobSession);
      const absent = { kind: "absent", session: scene.bobSession, reason: goneReasons.lost, peer: "bob" };
      expect(await scene.alice.next()).toEqual(absent);
      scene.bob = await backOf(scene, "bob");
      await expectTalk(scene.alice, scene.bob, await pairAgain(scene.alice, scene.bob));
      expect(scene.bob.session).toBe(scene.bobSession);
    },
  );
});

describe("a client that didn't name a session", () => {
  test("a client that didn't name a session has ended for its peers when it goes, even over hibernation, and isn't found again", async () => {
    for (const hibernates of [false, true]) {
      const realm = new Realm();
      using alice = await realm.join("alice");
      using bob = await realm.join("bob", null);
      expect(bob.session).toMatch(/^[0-9a-f]{32}$/);
      const { to } = await pairUp(alice, bob);
      if (hibernates) await evictDurableObject(realm.stub);
      bob.close(1000);
      expect(await alice.next()).toEqual({ kind: "gone", address: to, reason: goneReasons.ended });
      alice.resume("bob", bob.session);
      expect(await alice.nextOf("absent")).toMatchObject({ reason: goneReasons.lost });
    }
  });

  test("a client that didn't name a session ends it when it breaks a rule, and is superseded by another one of its instance", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("bob");
    using alice = await realm.join("alice");
    using first = await realm.link("bob", secret, null);
    const toFirst = await pairUp(alice, first);
    first.send(Uint8Array.of(1));
    expect(await alice.next()).toEqual({ kind: "gone", address: toFirst.to, reason: goneReasons.ended });
    using second = await realm.link("bob", secret, null, "desk");
    const toSecond = await pairUp(alice, second);
    using third = await realm.link("bob", secret, null, "desk");
    expect(await second.closedByRouter()).toMatchObject({ code: closeCodes.superseded });
    expect(await alice.next()).toEqual({ kind: "gone", address: toSecond.to, reason: goneReasons.superseded });
    expect(new Set([first, second, third].map(({ session }) => session)).size).toBe(3);
  });
});

describe("a silent link", () => {
  /** Makes the object believe that a link was made so long ago, after which it forgets all else. */
  async function age(realm: Realm, name: string, ageMs: number): Promise<void> {
    await runInDurableObject(realm.stub, (_object, state) => {
      const [socket] = state.getWebSockets(`name:${name}`);
      const attachment = socket?.deserializeAttachment() as { connectedAtMs: number };
      socket?.serializeAttachment({ ...attachment, connectedAtMs: Date.now() - ageMs });
    });
    await evictDurableObject(realm.stub);
  }

  test.for(["open", "resume"] as const)(
    "a silent link isn't found by the %s of another, and is closed to come back",
    async (ask) => {
      await using scene = await sceneOf();
      const { realm, alice, bob } = scene;
      using carol = await realm.join("carol");
      const fromCarol = await pairUp(carol, bob);
      await age(realm, "bob", limits.ghostAfterMs + 1);
      if (ask === "open") {
        alice.open("bob", 3);
        expect(await alice.next()).toMatchObject({ kind: "refused", connection: 3, code: errorCodes.peerAbsent });
      } else {
        alice.resume("bob", scene.bobSession);
        expect(await alice.next()).toMatchObject({ kind: "absent", reason: goneReasons.lost });
      }
      expect(await carol.next()).toEqual({ kind: "gone", address: fromCarol.to, reason: goneReasons.lost });
      expect(await bob.closedByRouter()).toMatchObject({ code: closeCodes.restarting });
      scene.bob = await backOf(scene, "bob");
      await expectTalk(alice, scene.bob, await pairAgain(alice, scene.bob));
    },
  );

  test("a link is found when its heartbeat was answered in the meantime, though the object slept", async () => {
    await using scene = await sceneOf();
    const { realm, alice, bob } = scene;
    await age(realm, "bob", 10 * limits.ghostAfterMs);
    bob.socket.send("mp:ping");
    expect(await bob.nextOf("text")).toMatchObject({ text: "mp:pong" });
    await expectTalk(alice, bob, await pairUp(alice, bob));
    await evictDurableObject(realm.stub);
    await expectTalk(alice, bob, await pairUp(alice, bob));
  });

  test("a link is found when it sends something itself", async () => {
    await using scene = await sceneOf();
    const { realm, alice, bob } = scene;
    await age(realm, "bob", 10 * limits.ghostAfterMs);
    expect(await bob.outcome()).toBe("open");
    await expectTalk(alice, bob, await pairUp(alice, bob));
  });
});

describe("a frame that is the router's to send", () => {
  const frames = [
    { kind: "paired", address: 1, session: anySession, peer: "bob" },
    { kind: "absent", session: anySession, reason: 1, peer: "bob" },
    { kind: "mark", token: 1, budget: 1 },
  ] as const;
  test.for(frames)("a frame that only the router may send closes the link as malformed: $kind", async (frame) => {
    await using scene = await sceneOf();
    const { alice } = scene;
    alice.send(encodeBatch(0, frame));
    const { code, reason } = await alice.closedByRouter();
    expect(code).toBe(closeCodes.malformed);
    expect(reason).toContain(`Frame "${frame.kind}" is the router's to send`);
    expect(alice.announcedDelayMs).toBe(0);
  });
});
