import { errorCodes, goneReasons, limits, routerLimits } from "@messagepasser/protocol";
import { formats } from "@messagepasser/protocol/formats";
import { describe, expect, test } from "vitest";
import { batchOf, framesOf, openTo, toRouter } from "../../test/support/batches.ts";
import { type FakeLink, type FakeRealm, grantOf, realmOf } from "../../test/support/routing-fakes.ts";

const chunk = new Uint8Array(65_536);
const { maxUnreadBytes } = limits;
const { burstBytes, filledAfterMs, firstBarMs, firstBudgetBytes, floodSlackBytes, maxBarMs } = routerLimits;
const mostBytes = 1.5 * firstBudgetBytes + floodSlackBytes;

/** Sends chunks to a link that reads nothing, from each in turn, until one of them is told that the link is gone. */
function flood(
  { routing }: FakeRealm,
  to: FakeLink,
  from: readonly FakeLink[],
  atMostBytes: number = maxUnreadBytes,
): number {
  let sentBytes = 0;
  for (let turn = 0; sentBytes < atMostBytes; turn++) {
    const sender = from[turn % from.length];
    if (sender === undefined) break;
    routing.receive(sender, batchOf([to.address, chunk]));
    if (from.some((link) => link.take().some((item) => item.kind === "gone"))) break;
    sentBytes += chunk.length;
  }
  return sentBytes;
}

/** Fills a link until a mark of it has waited for longer than one on a fast link does. */
function fillUp(realm: FakeRealm, to: FakeLink, from: FakeLink): void {
  flood(realm, to, [from], mostBytes / 2);
  realm.runtime.nowMs += filledAfterMs + 1;
}

describe("a flood", () => {
  test("a flood costs the pair: both ends are told that it was lost, and the link and its other pairs stay", () => {
    const realm = realmOf();
    const [mallory, bob, carol] = [realm.join("mallory"), realm.join("bob"), realm.join("carol")];
    realm.pair(mallory, bob);
    realm.pair(carol, bob);
    fillUp(realm, bob, mallory);
    const sentBytes = mostBytes / 2 + flood(realm, bob, [mallory]);
    expect(sentBytes).toBeGreaterThan(mostBytes - 2 * chunk.length);
    expect(sentBytes).toBeLessThan(mostBytes + limits.markEveryBytes + 2 * chunk.length);
    expect(bob.take().at(-1)).toEqual({ kind: "gone", address: mallory.address, reason: goneReasons.lost });
    realm.routing.receive(carol, batchOf([bob.address, Uint8Array.of(1)]));
    expect(bob.take()).toEqual([{ kind: "segment", from: carol.address, bytes: Uint8Array.of(1) }]);
    expect([bob.closed, mallory.closed]).toEqual([undefined, undefined]);
    // What it goes on sending leads nowhere.
    realm.routing.receive(mallory, batchOf([bob.address, chunk]));
    expect(bob.take()).toEqual([]);
  });

  test("a flood that is faster than any mark could be answered is cut as well", () => {
    const realm = realmOf();
    const [mallory, bob] = [realm.join("mallory"), realm.join("bob")];
    realm.pair(mallory, bob);
    const sentBytes = flood(realm, bob, [mallory]);
    expect(sentBytes).toBeGreaterThan(mostBytes);
    expect(sentBytes).toBeLessThan(mostBytes + burstBytes + limits.markEveryBytes + chunk.length);
    expect(bob.closed).toBeUndefined();
  });

  test("a flood through several guests and the client's own link is one flood, which costs all of them the pair", () => {
    const realm = realmOf();
    const bob = realm.join("bob");
    const grant = grantOf("mallory");
    const links = [realm.join("mallory"), ...["a", "b", "c"].map((name) => realm.join(`mallory/${name}`, { grant }))];
    for (const link of links) realm.pair(link, bob);
    expect(flood(realm, bob, links)).toBeLessThan(mostBytes + burstBytes + limits.markEveryBytes + 4 * chunk.length);
    for (const link of links) {
      realm.routing.receive(link, batchOf([bob.address, chunk]));
      realm.routing.receive(link, toRouter(openTo("bob")));
      expect(link.take().at(-1)).toMatchObject({ kind: "refused", code: errorCodes.busy });
    }
  });

  test("a flood of a guest to its own host costs the guests that pair, and the host nothing", () => {
    const realm = realmOf();
    const alice = realm.join("alice");
    const guest = realm.join("alice/eve", { grant: grantOf("alice") });
    realm.pair(guest, alice);
    flood(realm, alice, [guest]);
    expect(alice.closed).toBeUndefined();
    realm.routing.receive(guest, toRouter(openTo("alice")));
    expect(guest.take().at(-1)).toMatchObject({ kind: "refused", code: errorCodes.busy });
  });

  test("a flood to many links, little to each, is bounded as well", () => {
    const realm = realmOf();
    const mallory = realm.join("mallory");
    const victims = Array.from({ length: 40 }, (_, at) => realm.join(`victim ${at}`));
    for (const victim of victims) realm.pair(mallory, victim);
    for (const victim of victims) flood(realm, victim, [mallory], 2 ** 20);
    expect(realm.routing.unread.heldBytes).toBeLessThan(maxUnreadBytes / 3 + 40 * routerLimits.owingLinkBytes);
    expect(victims.every(({ closed }) => closed === undefined)).toBe(true);
  });

  test.for(formats.filter(({ addressing }) => addressing === "name"))(
    "a flood counts in the bytes that it becomes: small frames to a client of $subprotocol",
    (format) => {
      const realm = realmOf();
      const mallory = realm.join("mallory".padEnd(limits.maxNameBytes, "y"));
      const bob = realm.join("bob", { format });
      realm.routing.receive(mallory, toRouter(openTo("bob")));
      const stops = framesOf(...Array.from({ length: 16_000 }, () => ({ kind: "stop", connection: 1 }) as const));
      let sentBytes = 0;
      mallory.take();
      for (let count = 0; count < 40; count++) {
        realm.routing.receive(mallory, batchOf([bob.address, stops]));
        sentBytes += stops.length;
        if (mallory.take().some((item) => item.kind === "gone")) break;
      }
      expect(bob.closed).toBeUndefined();
      expect(bob.sentBytes).toBeLessThan(mostBytes + burstBytes + 2 ** 20);
      // Some formats have no such frame.
      if (bob.sentBytes > mostBytes) expect(sentBytes).toBeLessThan(bob.sentBytes);
    },
  );
});

describe("what is no flood", () => {
  test("a client that reads what it is sent keeps the pair, however much it is", () => {
    const realm = realmOf();
    const [alice, bob] = [realm.join("alice"), realm.join("bob")];
    realm.pair(alice, bob);
    for (let count = 0; count < 100; count++) {
      expect(flood(realm, bob, [alice], 2 ** 20)).toBe(2 ** 20);
      realm.runtime.nowMs += 2 * filledAfterMs;
      realm.reach(bob);
      bob.take();
    }
  });

  test("peers that together fill a link, each within its budget, keep their pairs", () => {
    const realm = realmOf();
    const bob = realm.join("bob");
    const peers = Array.from({ length: 12 }, (_, at) => realm.join(`peer ${at}`));
    for (const peer of peers) realm.pair(peer, bob);
    for (const peer of peers) {
      expect(flood(realm, bob, [peer], firstBudgetBytes)).toBe(firstBudgetBytes);
      realm.runtime.nowMs += filledAfterMs;
    }
  });

  test("bytes that an earlier, larger budget let peers send are no flood once the link is slow", () => {
    const realm = realmOf();
    const [alice, bob] = [realm.join("alice"), realm.join("bob")];
    realm.pair(alice, bob);
    for (let round = 0; round < 8; round++) {
      flood(realm, bob, [alice], 2 ** 20);
      realm.reach(bob);
      bob.take();
    }
    expect(flood(realm, bob, [alice], limits.maxBudgetBytes / 2)).toBe(limits.maxBudgetBytes / 2);
    realm.runtime.nowMs += 5_000;
    expect(flood(realm, bob, [alice], limits.maxBudgetBytes / 2)).toBe(limits.maxBudgetBytes / 2);
  });
});

describe("first messages", () => {
  test("first messages are refused as busy before they become a flood", () => {
    const realm = realmOf();
    const [alice, bob] = [realm.join("alice"), realm.join("bob")];
    let busy = 0;
    for (let connection = 1; connection <= 200; connection++) {
      if (connection === 50) realm.runtime.nowMs += filledAfterMs + 1;
      realm.routing.receive(alice, toRouter(openTo("bob", { connection, first: chunk })));
      const answers = alice.take();
      expect(answers.some(({ kind }) => kind === "gone")).toBe(false);
      if (answers.some((answer) => answer.kind === "refused" && answer.code === errorCodes.busy)) busy++;
    }
    expect(busy).toBeGreaterThan(100);
    expect(bob.closed).toBeUndefined();
  });
});

describe("a client that comes back", () => {
  test("a client that comes back slower than before is not flooded by what its peers were granted before", () => {
    const realm = realmOf();
    const { links, routing } = realm;
    const [alice, bob] = [realm.join("alice"), links.make("bob", { lastHeardMs: realm.runtime.nowMs })];
    routing.join(bob);
    realm.pair(alice, bob);
    for (let round = 0; round < 8; round++) {
      flood(realm, bob, [alice], 2 ** 20);
      realm.reach(bob);
      bob.take();
    }
    const sendAll = (session: string): number => {
      const next = links.make("bob", { session, lastHeardMs: realm.runtime.nowMs });
      routing.join(next);
      realm.pair(alice, next);
      flood(realm, next, [alice], 2 ** 20);
      realm.runtime.nowMs += 5_000;
      return flood(realm, next, [alice], limits.maxBudgetBytes);
    };
    routing.leave(bob, goneReasons.lost);
    alice.take();
    expect(sendAll(bob.session)).toBe(limits.maxBudgetBytes);
    // Another session has granted nothing yet.
    alice.take();
    realm.runtime.nowMs += maxBarMs;
    routing.receive(alice, new Uint8Array());
    expect(sendAll("f".repeat(32))).toBeLessThan(limits.maxBudgetBytes);
  });
});

describe("a bar", () => {
  test("a bar keeps the two apart for 20 seconds, then four times as long, up to ten minutes, and is forgotten in the end", () => {
    const realm = realmOf();
    const [mallory, bob] = [realm.join("mallory"), realm.join("bob")];
    const open = (from: FakeLink, to: FakeLink): number | string => {
      realm.routing.receive(from, toRouter(openTo(to.name)));
      const answer = from.take().find(({ kind }) => kind === "routed" || kind === "refused");
      return answer?.kind === "refused" ? answer.code : (answer?.kind ?? "nothing");
    };
    const barAfterFlood = (): number => {
      expect(open(mallory, bob)).toBe("routed");
      flood(realm, bob, [mallory]);
      realm.reach(bob);
      bob.take();
      let barMs = 0;
      for (; open(bob, mallory) === errorCodes.busy; barMs += 1_000) {
        expect(open(mallory, bob)).toBe(errorCodes.busy);
        realm.runtime.nowMs += 1_000;
      }
      return barMs;
    };
    expect([1, 2, 3, 4, 5].map(barAfterFlood)).toEqual([20_000, 80_000, 320_000, 600_000, 600_000]);
    realm.runtime.nowMs += maxBarMs + 1;
    for (const link of [mallory, bob]) realm.routing.receive(link, new Uint8Array());
    expect(barAfterFlood()).toBe(firstBarMs);
  });

  test("a bar answers a resume of either end with lost, so that Connections wait for its end", () => {
    const realm = realmOf();
    const [mallory, bob] = [realm.join("mallory"), realm.join("bob")];
    realm.pair(mallory, bob);
    flood(realm, bob, [mallory]);
    for (const [from, to] of [
      [mallory, bob],
      [bob, mallory],
    ] as const) {
      realm.routing.receive(from, toRouter({ kind: "resume", session: to.session, peer: to.name }));
      expect(from.take().at(-1)).toMatchObject({ kind: "absent", reason: goneReasons.lost });
    }
    realm.runtime.nowMs += firstBarMs;
    realm.routing.receive(bob, toRouter({ kind: "resume", session: mallory.session, peer: "mallory" }));
    expect(bob.take().at(-1)).toMatchObject({ kind: "paired", address: mallory.address });
  });
});
