import { closeCodes, errorCodes, goneReasons, limits, routerLimits } from "@messagepasser/protocol";
import { describe, expect, test } from "vitest";
import { openTo, toRouter } from "../../test/support/batches.ts";
import { type FakeLink, grantOf, realmOf } from "../../test/support/routing-fakes.ts";

describe("opens and resumes", () => {
  test.for(["open", "resume"] as const)(
    "opens and resumes past the rate of one link are refused until time has passed, and other links' aren't: %s",
    (kind) => {
      const realm = realmOf();
      const [alice, bob, carol] = [realm.join("alice"), realm.join("bob"), realm.join("carol")];
      const ask = (from: FakeLink): unknown => {
        realm.routing.receive(
          from,
          toRouter(kind === "open" ? openTo("bob") : { kind: "resume", session: bob.session, peer: "bob" }),
        );
        realm.reach(bob);
        bob.take();
        const heard = from.take();
        realm.reach(from);
        expect(heard).toHaveLength(1);
        return heard[0];
      };
      const taken = { kind: kind === "open" ? "routed" : "paired" };
      const refused =
        kind === "open"
          ? { kind: "refused", connection: 1, code: errorCodes.busy, reason: expect.stringMatching(/a second/) }
          : { kind: "absent", session: bob.session, reason: goneReasons.lost };
      for (let count = 0; count < limits.maxOpensAtOnce; count++) expect(ask(alice)).toMatchObject(taken);
      expect(ask(alice)).toMatchObject(refused);
      expect(ask(carol)).toMatchObject(taken);
      realm.runtime.nowMs += 1_000 / limits.maxOpensPerSecond;
      expect(ask(alice)).toMatchObject(taken);
      expect(ask(alice)).toMatchObject(refused);
    },
  );

  test("opens that are refused for another reason count towards the rate", () => {
    const realm = realmOf();
    const alice = realm.join("alice");
    for (let count = 0; count < limits.maxOpensAtOnce; count++) {
      realm.routing.receive(alice, toRouter(openTo("", { connection: 0 })));
      expect(alice.take()).toMatchObject([{ code: errorCodes.badOpen }]);
      realm.reach(alice);
    }
    realm.routing.receive(alice, toRouter(openTo("", { connection: 0 })));
    expect(alice.take()).toMatchObject([{ code: errorCodes.busy }]);
  });
});

describe("opens of $source", () => {
  const askFor = (protocol: string): Uint8Array => toRouter({ ...openTo("$source", { limit: 2_000_000 }), protocol });

  test.for([
    ["1024x0", 1_024],
    ["100x64", 100],
    ["0x0", 1],
    ["999999x0", 1_024],
    ["none", 1],
  ] as const)("an open of $source for %s counts as %i opens", ([protocol, opens]) => {
    const realm = realmOf();
    const alice = realm.join("alice");
    const times = Math.floor(limits.maxOpensAtOnce / opens);
    let answered = 0;
    for (let at = 0; at <= times; at++) {
      realm.routing.receive(alice, askFor(protocol));
      realm.reach(alice);
      if (alice.take().some((item) => item.kind === "routed")) answered++;
    }
    expect(answered).toBe(times);
  });

  test("an open of $source is not allowed to a guest", () => {
    const realm = realmOf();
    const guest = realm.join("alice/eve", { grant: grantOf("alice") });
    realm.routing.receive(guest, askFor("1x1"));
    expect(guest.take()).toMatchObject([{ kind: "refused", code: errorCodes.notAllowed }]);
    realm.routing.receive(guest, toRouter(openTo("$echo")));
    expect(guest.take()).toMatchObject([{ kind: "routed" }, { kind: "segment" }]);
  });
});

describe("lists", () => {
  test("lists count towards the rate, by how many links there are, and past it the link ends", () => {
    const realm = realmOf();
    for (let at = 0; at < 1_000; at++) realm.join(`client ${at}`);
    const alice = realm.join("alice");
    let answers = 0;
    while (alice.closed === undefined) {
      realm.routing.receive(alice, toRouter({ kind: "list", request: 1, cursor: "x" }));
      realm.reach(alice);
      answers += alice.take().length;
    }
    expect(answers).toBeGreaterThan(900);
    expect(answers).toBeLessThan(1_000);
    expect(alice.closed).toMatchObject({ code: closeCodes.overloaded });
  });
});

describe("the opens of a guest", () => {
  test("the opens of all guests of a host have one rate, and the host's own are not refused for them", () => {
    const realm = realmOf();
    const grant = grantOf("alice");
    const [alice, ...guests] = [realm.join("alice"), ...[1, 2].map((at) => realm.join(`alice/${at}`, { grant }))];
    const open = (from: FakeLink, count: number): number => {
      let routed = 0;
      for (let at = 0; at < count; at++) {
        realm.routing.receive(from, toRouter(openTo("$sink")));
        realm.reach(from);
        if (from.take().some(({ kind }) => kind === "routed")) routed++;
      }
      return routed;
    };
    for (const guest of guests) open(guest, limits.maxOpensAtOnce / 2);
    for (const guest of guests) expect(open(guest, 1)).toBe(0);
    expect(open(alice, 10)).toBe(10);
  });
});

describe("new links", () => {
  test("new links of one client are refused past a rate, and nobody else's", () => {
    const { routing, runtime } = realmOf();
    const mayJoin = (name: string): boolean => routing.mayJoin({ name });
    for (let at = 0; at < routerLimits.maxJoinsAtOnce; at++) expect(mayJoin("alice")).toBe(true);
    expect([mayJoin("alice"), mayJoin("bob")]).toEqual([false, true]);
    runtime.nowMs += 1_000 / routerLimits.maxJoinsPerSecond;
    expect([mayJoin("alice"), mayJoin("alice")]).toEqual([true, false]);
  });

  test("new links of one client are refused while the sockets of many closed ones are still there", () => {
    const { links, routing } = realmOf();
    const closed = Array.from({ length: routerLimits.maxClosingLinks + 1 }, () =>
      links.make("alice", { instance: "desk" }),
    );
    for (const link of closed) {
      expect(routing.mayJoin(link)).toBe(true);
      routing.join(link);
    }
    expect(routing.mayJoin({ name: "alice" })).toBe(false);
    for (const link of closed.slice(0, 1)) routing.leave(link, goneReasons.lost);
    expect(routing.mayJoin({ name: "alice" })).toBe(true);
  });
});
