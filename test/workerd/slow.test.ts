import { runInDurableObject } from "cloudflare:test";
import {
  anySession,
  closeCodes,
  encodeFrame,
  errorCodes,
  goneReasons,
  limits,
  routerLimits,
} from "@messagepasser/protocol";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { Realm } from "./realm.ts";
import { framesOf, segment } from "../support/batches.ts";
import { newSession } from "../support/credentials.ts";
import { type SegmentLink } from "../support/readings.ts";
import { expectTalk, pairAgain, pairUp } from "./pairs.ts";

const chunk = new Uint8Array(65_536);
const { firstBudgetBytes } = routerLimits;
const { markEveryBytes, maxBudgetBytes, maxUnreadBytes, maxOpensAtOnce, maxOpensPerSecond } = limits;

/** A link sends chunks to itself, a few at a time, until it is closed: a peer would lose the pair for that. */
async function flood(link: SegmentLink): Promise<void> {
  const own = await link.ownAddress();
  let sentBytes = 0;
  while (!link.isClosed) {
    for (let count = 0; count < 8; count++) link.toPeer(own, chunk);
    sentBytes += 8 * chunk.length;
    // Its answer comes when the router is through with all of that.
    await link.outcome();
    if (sentBytes > maxUnreadBytes) throw new Error("Nothing stopped the flood");
  }
}

/** How many bytes a link got since it was asked for. */
function countBytes(link: SegmentLink): { bytes: number } {
  const count = { bytes: 0 };
  link.socket.addEventListener("message", ({ data }) => {
    count.bytes += (data as ArrayBuffer).byteLength;
  });
  return count;
}

describe("a client that answers no mark", () => {
  test("a client that answers no mark gets a third of the cap, is closed and comes back, while others talk on and its peers are told", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("stalled");
    const session = newSession();
    using alice = await realm.join("alice");
    using carol = await realm.join("carol");
    using stalled = await realm.link("stalled", secret, session);
    stalled.answersMarks = false;
    await pairUp(alice, stalled);
    const toCarol = await pairUp(alice, carol);
    await pairUp(carol, stalled);
    const got = countBytes(stalled);
    await flood(stalled);
    expect(await stalled.closedByRouter()).toMatchObject({ code: closeCodes.tooSlow });
    expect(stalled.announcedDelayMs).toBeGreaterThan(0);
    expect(got.bytes).toBeGreaterThan(maxUnreadBytes / 3 - 2 * chunk.length);
    expect(got.bytes).toBeLessThan(maxUnreadBytes / 3 + chunk.length);
    for (const peer of [alice, carol])
      expect(await peer.next()).toMatchObject({ kind: "gone", reason: goneReasons.lost });
    await expectTalk(alice, carol, toCarol);
    using again = await realm.link("stalled", secret, session);
    await expectTalk(alice, again, await pairAgain(alice, again));
    expect(again.welcome.budget).toBe(firstBudgetBytes);
  });

  test("a client that answers no mark makes the budgets of others smaller until it is gone", async () => {
    const realm = new Realm();
    using alice = await realm.join("alice");
    using bob = await realm.join("bob");
    using stalled = await realm.join("stalled");
    stalled.answersMarks = false;
    const { to } = await pairUp(alice, stalled);
    const toBob = await pairUp(alice, bob);
    expect(alice.welcome.budget).toBe(firstBudgetBytes);
    for (let count = 0; count < 32; count++) alice.toPeer(to, chunk);
    expect(await alice.outcome()).toBe("open");
    // Bob's link turns out to be fast, mark by mark.
    const sendToBob = async (): Promise<void> => {
      for (let count = 0; count < (8 * markEveryBytes) / chunk.length; count++) {
        alice.toPeer(toBob.to, chunk);
        await bob.nextOf("segment");
      }
    };
    await sendToBob();
    await expect.poll(() => bob.marks.at(-1)?.budget).toBe(maxBudgetBytes / 2);
    stalled.close(1000);
    await stalled.closed();
    await sendToBob();
    await expect.poll(() => bob.marks.at(-1)?.budget).toBe(maxBudgetBytes);
  });
});

describe("a client that answers its marks", () => {
  test("a client that answers its marks gets more than the whole cap, in order", async () => {
    const realm = new Realm();
    using alice = await realm.join("alice");
    using bob = await realm.join("bob");
    const { from, to } = await pairUp(alice, bob);
    const count = Math.ceil((1.2 * maxUnreadBytes) / chunk.length);
    for (let number = 0; number < count; number++) {
      const numbered = chunk.slice();
      numbered[0] = number;
      alice.toPeer(to, numbered);
      const { from: sender, bytes } = await bob.nextOf("segment");
      expect([sender, bytes[0], bytes.length]).toEqual([from, number & 0xff, chunk.length]);
    }
    expect(bob.marks.length).toBeGreaterThan(count / 10);
    expect(new Set(bob.marks.map(({ token }) => token)).size).toBe(bob.marks.length);
    await expectTalk(alice, bob, { from, to });
  }, 30_000);

  test("a client that answers its marks goes on though it sends floods of tokens that it never got", async () => {
    const realm = new Realm();
    using alice = await realm.join("alice");
    using bob = await realm.join("bob");
    const addresses = await pairUp(alice, bob);
    const frame = encodeFrame({ kind: "reached", token: 0xffff_ffff });
    const flood = new Uint8Array(10_000 * frame.length);
    for (let at = 0; at < flood.length; at += frame.length) flood.set(frame, at);
    for (let count = 0; count < 20; count++) alice.send(segment(0, flood));
    expect(await alice.outcome()).toBe("open");
    await expectTalk(alice, bob, addresses);
  });
});

describe("a client that sends to itself without reading", () => {
  test("a client that sends to itself without reading is closed in its own batch, and its peers are told about its end and nothing after it", async () => {
    const realm = new Realm();
    using mallory = await realm.join("mallory");
    mallory.answersMarks = false;
    using alice = await realm.join("alice");
    const own = await mallory.ownAddress();
    const { to } = await pairUp(mallory, alice);
    while (!mallory.isClosed) {
      mallory.send(Uint8Array.of(...segment(own, chunk), ...segment(to, Uint8Array.of(1))));
      const heard = await alice.next();
      if (heard.kind !== "segment") {
        expect(heard).toMatchObject({ kind: "gone", reason: goneReasons.lost });
        break;
      }
    }
    expect(await mallory.closedByRouter()).toMatchObject({ code: closeCodes.tooSlow });
    await alice.expectNothing();
  }, 30_000);
});

describe("closing links that hold most of the memory", () => {
  test("closing links that hold most of the memory end the object, and all clients come back in their sessions", async () => {
    const realm = new Realm();
    const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
    onTestFinished(() => logged.mockRestore());
    const { secret } = await realm.add("alice");
    const session = newSession();
    using alice = await realm.link("alice", secret, session);
    // The close of these sockets doesn't get to the object, as if their network were gone.
    await runInDurableObject(realm.stub, (object) => {
      object.webSocketClose = () => undefined;
      object.webSocketError = () => undefined;
    });
    for (let number = 0; !alice.isClosed; number++) {
      expect(number).toBeLessThan(10);
      using stalled = await realm.join(`stalled ${number}`);
      stalled.answersMarks = false;
      await flood(stalled);
    }
    expect((await alice.closed()).code).toBe(1006);
    using again = await realm.link("alice", secret, session);
    expect(again.welcome).toMatchObject({ session, budget: firstBudgetBytes });
    using bob = await realm.join("bob");
    await expectTalk(again, bob, await pairUp(again, bob));
  }, 60_000);
});

describe("opens of one link", () => {
  test("opens of one link are refused as busy past the limit, and no other link's are", async () => {
    const realm = new Realm();
    using alice = await realm.join("alice");
    using bob = await realm.join("bob");
    const to = { address: 0, session: anySession, peer: "x" };
    const rest = { protocol: "p", limit: 1, metadata: {}, flags: 0, first: new Uint8Array() };
    const frames = Array.from(
      { length: 1_000 },
      (_, at) => ({ kind: "open", connection: at + 1, ...to, ...rest }) as const,
    );
    const batch = framesOf(...frames);
    const startMs = Date.now();
    const counts = { [errorCodes.peerAbsent]: 0, [errorCodes.busy]: 0 };
    while (counts[errorCodes.busy] === 0) {
      alice.send(segment(0, batch));
      for (const { connection } of frames) {
        const refused = await alice.nextOf("refused");
        expect(refused.connection).toBe(connection);
        counts[refused.code as keyof typeof counts]++;
      }
    }
    // The clocks on both sides are the same machine's.
    const passedMs = Date.now() - startMs;
    expect(counts[errorCodes.peerAbsent]).toBeGreaterThanOrEqual(maxOpensAtOnce);
    expect(counts[errorCodes.peerAbsent]).toBeLessThanOrEqual(
      maxOpensAtOnce + Math.ceil((passedMs * maxOpensPerSecond) / 1_000),
    );
    bob.open("alice", 1);
    expect(await bob.nextOf("routed")).toMatchObject({ session: alice.session });
    await alice.nextOf("open");
    expect(await alice.outcome()).toBe("open");
  }, 30_000);
});
