import { anySession, closeCodes, errorCodes, goneReasons, limits } from "@messagepasser/protocol";
import { json } from "@messagepasser/protocol/formats";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { Access } from "./access.ts";
import { Delivery } from "./delivery.ts";
import type { Grant } from "./link.ts";
import { Rules } from "./rules.ts";
import { batchOf, openTo, toRouter } from "../../test/support/batches.ts";
import { type FakeLink, FakeLinks, type FakeRealm, grantOf, realmOf } from "../../test/support/routing-fakes.ts";

function changeRules({ runtime, routing }: FakeRealm, text: string): void {
  const before = runtime.currentRules;
  runtime.currentRules = Rules.parse(text);
  routing.changeRules(before);
}

/** Whether a client may open something, as the router answers it. */
function outcomeOf({ routing }: FakeRealm, from: FakeLink, peer: string, protocol = "test"): string | number {
  routing.receive(from, toRouter(openTo(peer, { protocol })));
  const answer = from.take().find((heard) => "kind" in heard && (heard.kind === "routed" || heard.kind === "refused"));
  if (answer === undefined || !("kind" in answer)) throw new Error("No answer");
  return answer.kind === "refused" ? answer.code : answer.kind;
}

function changed(of: FakeLink): object {
  return { kind: "rulesChanged", address: of.address };
}

function cut(of: FakeLink): object {
  return { kind: "gone", address: of.address, reason: goneReasons.forbidden };
}

describe("an open", () => {
  test.each<[grant: Grant | undefined, rules: string, peer: string, protocol: string, isAllowed: boolean]>([
    [undefined, "", "bob", "test", true],
    [undefined, "default closed", "bob", "test", false],
    [undefined, "allow alice -> * : *\ndefault closed", "bob", "test", false],
    [undefined, "allow eve -> b* : t*\ndefault closed", "bob", "test", true],
    [grantOf("alice"), "", "bob", "test", true],
    [grantOf("alice", "b*b", "t*"), "", "bob", "test", true],
    [grantOf("alice", "bo", "test"), "", "bob", "test", false],
    [grantOf("alice", "bob", "TEST"), "", "bob", "test", false],
    [grantOf("alice"), "allow alice -> bob : test\ndefault closed", "bob", "test", true],
    [grantOf("alice"), "allow eve -> bob : test\ndefault closed", "bob", "test", false],
    [grantOf("alice"), "deny alice -> * : *", "bob", "test", false],
    [grantOf("alice", "carol"), "allow alice -> bob : test", "bob", "test", false],
  ])(
    "a guest's grant %o and the rules %j make an open to %s of %s allowed: %s",
    (grant, rules, peer, protocol, isAllowed) => {
      const access = new Access(new FakeLinks(), new Delivery({ now: () => 0, randomU32: () => 1 }), () =>
        Rules.parse(rules),
      );
      const reason = access.denialOf({ name: "eve", grant }, { name: peer }, protocol);
      expect(reason === undefined).toBe(isAllowed);
      expect(new TextEncoder().encode(reason).length).toBeLessThanOrEqual(limits.maxReasonBytes);
    },
  );

  test("the reason for a refused open fits its frame, however long the patterns are", () => {
    const realm = realmOf();
    const grant = grantOf("alice", "é".repeat(64), "\u4e00".repeat(42));
    const guest = realm.join("alice/eve", { grant });
    expect(outcomeOf(realm, guest, "bob")).toBe(errorCodes.notAllowed);
  });

  test("a refused open reveals neither which peers are connected nor which sessions they have", () => {
    const realm = realmOf();
    realm.runtime.currentRules = Rules.parse("deny alice -> * : test");
    const [alice, bob, guest] = [
      realm.join("alice"),
      realm.join("bob"),
      realm.join("bob/eve", { grant: grantOf("bob") }),
    ];
    for (const peer of ["bob", "carol", "bob/eve", "alice"]) {
      for (const session of [anySession, bob.session, "f".repeat(32)]) {
        realm.routing.receive(alice, toRouter(openTo(peer, { session })));
        expect(alice.take()).toEqual([
          { kind: "refused", connection: 1, code: errorCodes.notAllowed, reason: expect.stringContaining("Line 1") },
        ]);
      }
    }
    expect([...bob.take(), ...guest.take()]).toEqual([]);
  });

  test("an open from any client reaches no guest that serves nothing, and those that may not know of it are told that it is absent", () => {
    const realm = realmOf();
    const guest = realm.join("alice/eve", { grant: grantOf("alice") });
    const second = realm.join("alice/fay", { grant: grantOf("alice") });
    for (const link of [realm.join("alice"), realm.join("bob")])
      expect(outcomeOf(realm, link, "alice/eve")).toBe(errorCodes.notAllowed);
    for (const link of [second, guest]) expect(outcomeOf(realm, link, "alice/eve")).toBe(errorCodes.peerAbsent);
    expect(guest.take()).toEqual([]);
  });
});

describe("an open to a guest", () => {
  const serving = (host: string, ...serves: string[]): Grant => grantOf(host, "", "", serves);

  test("a guest that serves something is opened that, by its host and all others that may open it to its host, and nothing else", () => {
    const realm = realmOf();
    const guest = realm.join("alice/eve", { grant: serving("alice", "chat", "files/*") });
    realm.runtime.currentRules = Rules.parse("deny carol -> alice : *");
    const [alice, bob, carol] = [realm.join("alice"), realm.join("bob"), realm.join("carol")];
    for (const link of [alice, bob]) {
      expect(outcomeOf(realm, link, "alice/eve", "chat")).toBe("routed");
      expect(outcomeOf(realm, link, "alice/eve", "files/a")).toBe("routed");
      expect(outcomeOf(realm, link, "alice/eve", "files")).toBe(errorCodes.notAllowed);
    }
    // It is as if nobody were there.
    for (const peer of ["alice/eve", "alice/fay"])
      expect(outcomeOf(realm, carol, peer, "chat")).toBe(errorCodes.peerAbsent);
    expect(guest.take().filter((heard) => "kind" in heard && heard.kind === "open")).toHaveLength(4);
    // It still opens nothing.
    expect(outcomeOf(realm, guest, "alice", "chat")).toBe(errorCodes.notAllowed);
  });

  test("a guest that claims what its host serves gets no open that its invitation doesn't name", () => {
    const realm = realmOf();
    const guest = realm.join("alice/eve", { grant: serving("alice", "chat") });
    realm.join("alice");
    const bob = realm.join("bob");
    realm.routing.receive(guest, toRouter({ kind: "serve", share: 0, add: ["*", "ssh", "alice"], remove: [] }));
    expect(outcomeOf(realm, bob, "alice", "ssh")).toBe("routed");
    expect(outcomeOf(realm, bob, "alice/eve", "ssh")).toBe(errorCodes.notAllowed);
    expect(outcomeOf(realm, bob, "alice/eve", "chat")).toBe("routed");
    expect(guest.take()).toHaveLength(1);
  });

  test("of the sessions of one guest's name, only those whose invitation says so get an open", () => {
    const realm = realmOf();
    const bob = realm.join("bob");
    const chat = realm.join("alice/eve", { grant: serving("alice", "chat"), instance: "chat" });
    const files = realm.join("alice/eve", { grant: serving("alice", "files"), instance: "files" });
    expect(outcomeOf(realm, bob, "alice/eve", "chat")).toBe("routed");
    expect(outcomeOf(realm, bob, "alice/eve:files", "chat")).toBe(errorCodes.notAllowed);
    expect(outcomeOf(realm, bob, "alice/eve:files", "files")).toBe("routed");
    expect([chat.take().length, files.take().length]).toEqual([1, 1]);
  });

  test("an open to a name of many guests asks the rules as often as one to a name of a single guest", () => {
    const realm = realmOf();
    const bob = realm.join("bob");
    const decide = vi.spyOn(realm.runtime.currentRules, "decide");
    const asked = [1, 50].map((count) => {
      while (realm.links.named("alice/eve").length < count)
        realm.join("alice/eve", { grant: serving("alice", "chat") });
      decide.mockClear();
      expect(outcomeOf(realm, bob, "alice/eve", "chat")).toBe("routed");
      return decide.mock.calls.length;
    });
    expect(asked[1]).toBe(asked[0]);
  });

  test("guests of one host open to each other what the invitations of both say, whatever the rules' default", () => {
    const realm = realmOf();
    realm.runtime.currentRules = Rules.parse("default closed");
    realm.join("alice/eve", { grant: serving("alice", "chat") });
    realm.join("bob/eve", { grant: serving("bob", "chat") });
    const fay = realm.join("alice/fay", { grant: grantOf("alice", "*/eve", "*") });
    expect(outcomeOf(realm, fay, "alice/eve", "chat")).toBe("routed");
    expect(outcomeOf(realm, fay, "alice/eve", "files")).toBe(errorCodes.notAllowed);
    expect(outcomeOf(realm, fay, "bob/eve", "chat")).toBe(errorCodes.notAllowed);
  });

  test("a client whose name looks like a guest's is opened what the rules say for its own name, and nothing of it is told otherwise", () => {
    const realm = realmOf();
    realm.runtime.currentRules = Rules.parse(
      "allow bob -> team : chat\nallow carol -> team/eve : chat\ndefault closed",
    );
    realm.join("team/eve");
    const [bob, carol] = [realm.join("bob"), realm.join("carol")];
    for (const peer of ["team/eve", "team/fay"])
      expect(outcomeOf(realm, bob, peer, "chat")).toBe(errorCodes.peerAbsent);
    expect(outcomeOf(realm, bob, "team/eve", "ssh")).toBe(errorCodes.notAllowed);
    expect(outcomeOf(realm, carol, "team/eve", "chat")).toBe("routed");
  });

  test("changed rules cut a guest from those that may no longer open to it", () => {
    const realm = realmOf();
    const guest = realm.join("alice/eve", { grant: serving("alice", "chat") });
    const [alice, bob] = [realm.join("alice"), realm.join("bob")];
    for (const link of [alice, bob]) expect(outcomeOf(realm, link, "alice/eve", "chat")).toBe("routed");
    guest.take();
    changeRules(realm, "deny bob -> alice : *");
    expect([alice.take(), bob.take(), guest.take()]).toEqual([[], [cut(guest)], [cut(bob)]]);
    changeRules(realm, "deny * -> alice/eve : files");
    expect([alice.take(), bob.take(), guest.take()]).toEqual([[changed(guest)], [], [changed(alice)]]);
  });

  test("a guest that comes back with an invitation for less is told to check, and denied what it no longer serves", () => {
    const realm = realmOf();
    const bob = realm.join("bob");
    const session = "e".repeat(32);
    realm.join("alice/eve", { session, grant: serving("alice", "chat", "files") });
    for (const protocol of ["chat", "files"]) expect(outcomeOf(realm, bob, "alice/eve", protocol)).toBe("routed");
    const again = realm.links.make("alice/eve", { session, grant: serving("alice", "chat") });
    realm.routing.join(again);
    for (const link of [again, bob]) link.take();
    realm.routing.receive(again, toRouter({ kind: "resume", session: bob.session, peer: "bob" }));
    expect(bob.take()).toContainEqual(changed(again));
    for (const protocol of ["chat", "files"])
      realm.routing.receive(bob, toRouter({ kind: "check", address: again.address, opener: 1, protocol }));
    expect(bob.take()).toEqual([expect.objectContaining({ kind: "denied", protocol: "files" })]);
  });
});

describe("a check", () => {
  function answersTo(
    { routing }: FakeRealm,
    from: FakeLink,
    address: number,
    opener: number,
    protocol = "test",
  ): number {
    routing.receive(from, toRouter({ kind: "check", address, opener, protocol }));
    const answers = from.take();
    for (const answer of answers) expect(answer).toMatchObject({ kind: "denied", address, opener, protocol });
    return answers.length;
  }

  test("a check is answered for each side as an open from that side would be", () => {
    const realm = realmOf();
    const [alice, guest] = [realm.join("alice"), realm.join("bob/eve", { grant: grantOf("bob", "alice", "t*") })];
    realm.pair(guest, alice);
    expect(answersTo(realm, guest, alice.address, 1)).toBe(0);
    expect(answersTo(realm, alice, guest.address, 0)).toBe(0);
    expect(answersTo(realm, guest, alice.address, 1, "other")).toBe(1);
    expect(answersTo(realm, alice, guest.address, 0, "other")).toBe(1);
    realm.runtime.currentRules = Rules.parse("deny bob -> alice : test");
    expect(answersTo(realm, guest, alice.address, 1)).toBe(1);
    expect(answersTo(realm, alice, guest.address, 0)).toBe(1);
  });

  test("a check reveals nothing about clients that aren't paired with the sender", () => {
    const realm = realmOf();
    const [alice, bob] = [realm.join("alice"), realm.join("bob")];
    realm.runtime.currentRules = Rules.parse("default closed");
    for (const address of [0, bob.address, alice.address, 999]) {
      for (const opener of [0, 1, 255]) expect(answersTo(realm, alice, address, opener)).toBe(0);
    }
  });

  test("checks count towards the rate of opens: past it they are denied, while other clients may go on asking", () => {
    const realm = realmOf();
    const [alice, bob] = [realm.join("alice"), realm.join("bob")];
    realm.pair(alice, bob);
    for (let count = 1; count < limits.maxOpensAtOnce; count++) expect(answersTo(realm, alice, bob.address, 1)).toBe(0);
    expect(answersTo(realm, alice, bob.address, 1)).toBe(1);
    expect(answersTo(realm, bob, alice.address, 0)).toBe(0);
    realm.runtime.nowMs += 1_000;
    expect(answersTo(realm, alice, bob.address, 1)).toBe(0);
  });
});

test("a guest's list names the peers that it may open to, and their lists name the guest", () => {
  const realm = realmOf();
  const [alice, guest] = [realm.join("alice"), realm.join("alice/eve", { grant: grantOf("alice", "b*") })];
  for (const name of ["bob", "bea", "carol"]) realm.join(name);
  const namesFor = (link: FakeLink, cursor = ""): unknown => {
    realm.routing.receive(link, toRouter({ kind: "list", request: 1, cursor }));
    const [answer] = link.take();
    return answer !== undefined && "kind" in answer && answer.kind === "peers" ? answer.names : answer;
  };
  expect(namesFor(guest)).toEqual(["bea", "bob"]);
  expect(namesFor(guest, "bea")).toEqual(["bob"]);
  expect(namesFor(alice)).toEqual(["alice", "alice/eve", "bea", "bob", "carol"]);
});

describe("a resume", () => {
  test("a guest's resume pairs it only with peers that it may open to, and no other client's resume pairs with the guest", () => {
    const realm = realmOf();
    const [alice, bob] = [realm.join("alice"), realm.join("bob")];
    const guest = realm.join("alice/eve", { grant: grantOf("alice", "bob") });
    const second = realm.join("alice/fay", { grant: grantOf("alice") });
    const kindOf = (from: FakeLink, to: FakeLink): string => {
      realm.routing.receive(from, toRouter({ kind: "resume", session: to.session, peer: to.name }));
      const [answer] = from.take();
      to.take();
      if (answer === undefined || !("kind" in answer)) throw new Error("No answer");
      return answer.kind === "absent" ? `absent ${answer.reason}` : answer.kind;
    };
    const isCut = `absent ${goneReasons.forbidden}`;
    expect([kindOf(guest, bob), kindOf(bob, guest)]).toEqual(["paired", "paired"]);
    expect([kindOf(guest, alice), kindOf(alice, guest)]).toEqual([isCut, isCut]);
    expect([kindOf(guest, second), kindOf(second, guest)]).toEqual([isCut, isCut]);
    realm.runtime.currentRules = Rules.parse("deny alice -> bob : *");
    expect([kindOf(guest, bob), kindOf(bob, guest)]).toEqual([isCut, isCut]);
    expect(kindOf(bob, alice)).toBe("paired");
  });

  test("a resume with a made-up session doesn't tell whether a client to which nothing may be opened is connected", () => {
    const realm = realmOf();
    realm.join("alice");
    const [bob, carol] = ["bob", "carol"].map((name) => realm.join(name, { instance: "desk" })) as [FakeLink, FakeLink];
    const guest = realm.join("alice/eve", { grant: grantOf("alice", "b*") });
    realm.runtime.currentRules = Rules.parse("deny bob -> carol : *\ndeny carol -> bob : *");
    const answersTo = (from: FakeLink, peer: string, session = "f".repeat(32)): unknown => {
      realm.routing.receive(from, toRouter({ kind: "resume", session, peer }));
      return from.take();
    };
    const lost = (peer: string): object[] => [
      { kind: "absent", session: "f".repeat(32), reason: goneReasons.lost, peer },
    ];
    for (const peer of ["carol:desk", "alice", "nobody"]) expect(answersTo(guest, peer)).toEqual(lost(peer));
    for (const peer of ["carol:desk", "nobody"]) expect(answersTo(bob, peer)).toEqual(lost(peer));
    expect(answersTo(guest, "bob:desk")).toMatchObject([{ reason: goneReasons.superseded }]);
    expect(answersTo(bob, "carol:desk", carol.session)).toMatchObject([{ reason: goneReasons.forbidden }]);
  });

  test("a resume makes both clients check their Connections when it pairs them, and not again while they are paired", () => {
    const realm = realmOf();
    const [alice, bob] = [realm.join("alice"), realm.join("bob")];
    realm.runtime.currentRules = Rules.parse("deny bob -> alice : x");
    const resume = toRouter({ kind: "resume", session: bob.session, peer: "bob" });
    realm.routing.receive(alice, resume);
    expect([alice.take(), bob.take()]).toMatchObject([
      [{ kind: "paired" }, changed(bob)],
      [{ kind: "paired" }, changed(alice)],
    ]);
    for (let time = 0; time < 3; time++) realm.routing.receive(alice, resume);
    expect(bob.take()).toMatchObject(Array.from({ length: 3 }, () => ({ kind: "paired" })));
  });
});

describe("a change of rules", () => {
  test("a change of rules is told once to each pair that it affects, in either direction", () => {
    const realm = realmOf();
    const [alice, bob, carol] = [realm.join("alice"), realm.join("bob"), realm.join("carol")];
    realm.pair(alice, bob);
    realm.pair(bob, alice);
    realm.pair(carol, alice);
    changeRules(realm, "deny bob -> alice : x");
    expect([alice.take(), bob.take(), carol.take()]).toEqual([[changed(bob)], [changed(alice)], []]);
    changeRules(realm, "deny bob -> alice : x\ndeny alice -> carol : y");
    expect([alice.take(), bob.take(), carol.take()]).toEqual([[changed(carol)], [], [changed(alice)]]);
    changeRules(realm, "");
    for (const link of [bob, carol]) expect(link.take()).toEqual([changed(alice)]);
  });

  test("a client that is paired with itself is told about changed rules once, and about the end of the pair once", () => {
    const realm = realmOf();
    const alice = realm.join("alice");
    realm.pair(alice, alice);
    changeRules(realm, "deny alice -> alice : x");
    expect(alice.take()).toEqual([changed(alice)]);
    changeRules(realm, "default closed");
    expect(alice.take()).toEqual([cut(alice)]);
    changeRules(realm, "");
    expect(alice.take()).toEqual([]);
  });

  test.each([0, 1])(
    "changed rules cut and forget a pair that only one of its links lists (listed by link %i)",
    (lister) => {
      const realm = realmOf();
      const full = realm.join("full", { capacity: 1 });
      const [other, bob] = [realm.join("other"), realm.join("bob")];
      realm.pair(full, other);
      if (lister === 0) realm.pair(full, bob);
      else realm.pair(bob, full);
      expect([full.pairs.has(bob.address), full.pairs.overflowed]).toEqual([false, true]);
      changeRules(realm, "deny bob -> full : x");
      expect([full.take(), bob.take(), other.take()]).toEqual([[changed(bob)], [changed(full)], []]);
      changeRules(realm, "deny bob full -> full bob : *");
      expect([full.take(), bob.take(), other.take()]).toEqual([[cut(bob)], [cut(full)], []]);
      realm.routing.receive(bob, batchOf([full.address, Uint8Array.of(1)]));
      expect(bob.take()).toEqual([{ kind: "gone", address: full.address, reason: goneReasons.lost }]);
      realm.routing.leave(full, goneReasons.lost);
      expect([other.take().length, bob.take()]).toEqual([1, []]);
    },
  );

  test("changed rules cut a guest from peers that its host may no longer open to, even if those may open to its host", () => {
    const realm = realmOf();
    const [alice, bob] = [realm.join("alice"), realm.join("bob")];
    const guest = realm.join("alice/eve", { grant: grantOf("alice", "bob") });
    realm.pair(guest, bob);
    realm.pair(alice, bob);
    changeRules(realm, "deny alice -> bob : x");
    expect([guest.take(), alice.take()]).toEqual([[changed(bob)], [changed(bob)]]);
    expect(bob.take()).toHaveLength(2);
    changeRules(realm, "deny alice -> bob : *");
    expect([guest.take(), alice.take()]).toEqual([[cut(bob)], [changed(bob)]]);
    expect(bob.take()).toEqual(expect.arrayContaining([cut(guest), changed(alice)]));
  });

  test("changed rules cut two clients whose formats name peers, and tell the one of two that has addresses", () => {
    const realm = realmOf();
    const [alice, bob] = [realm.join("alice", { format: json }), realm.join("bob", { format: json })];
    const carol = realm.join("carol");
    const open = { type: "open", peer: "bob", connection: "alice:1", protocol: "test" };
    realm.routing.receive(alice, JSON.stringify([open, { ...open, peer: "carol", connection: "alice:2" }]));
    expect(carol.take()).toMatchObject([{ kind: "open" }]);
    for (const link of [alice, bob]) link.messages.length = 0;
    changeRules(realm, "deny alice -> * : x");
    expect(
      [alice.messages, bob.messages].map((messages) => messages.map((text) => JSON.parse(String(text)) as unknown)),
    ).toEqual([
      [{ type: "gone", peer: "bob", reason: "forbidden" }],
      [{ type: "gone", peer: "alice", reason: "forbidden" }],
    ]);
    expect(carol.take()).toEqual([changed(alice)]);
  });

  test("a link that is too slow to be told about changed rules ends, and its peers are told about that once", () => {
    const realm = realmOf();
    const [slow, first, second] = [realm.join("slow"), realm.join("first"), realm.join("second")];
    realm.pair(slow, first);
    realm.pair(slow, second);
    realm.pair(slow, slow);
    // Until a single byte more is too much, all of it the link's own.
    for (let bytes = 65_536; bytes >= 1; bytes = Math.floor(bytes / 2)) {
      while (realm.routing.unread.heldBytes + bytes + 8 <= limits.maxUnreadBytes / 3)
        realm.routing.receive(slow, batchOf([slow.address, new Uint8Array(bytes)]));
    }
    first.take();
    changeRules(realm, "deny slow -> * : x");
    expect(slow.closed?.code).toBe(closeCodes.tooSlow);
    const gone = { kind: "gone", address: slow.address, reason: goneReasons.lost };
    for (const link of [first, second])
      expect(link.take().filter((heard) => "kind" in heard && heard.kind === "gone")).toEqual([gone]);
  });

  test("changed rules leave exactly the pairs between which something may be opened, for any rules", () => {
    const names = ["a", "b", "c"];
    const word = fc.constantFrom("a", "b", "c", "*");
    const line = fc
      .tuple(fc.constantFrom("allow", "deny"), word, word, fc.constantFrom("x", "y", "*"))
      .map(([verb, opener, peer, protocol]) => `${verb} ${opener} -> ${peer} : ${protocol}`);
    const rules = fc
      .tuple(fc.array(line, { maxLength: 4 }), fc.constantFrom("default open", "default closed"))
      .map(([lines, byDefault]) => [...lines, byDefault].join("\n"));
    fc.assert(
      fc.property(rules, rules, (first, then) => {
        const realm = realmOf();
        const links = names.map((name) => realm.join(name));
        for (const from of links) for (const to of links) if (from.address < to.address) realm.pair(from, to);
        for (const text of [first, then]) {
          const pairsBefore = links.map((link) => [...link.pairs].length);
          changeRules(realm, text);
          const { currentRules } = realm.runtime;
          for (const [at, link] of links.entries()) {
            for (const other of links) {
              if (link === other) continue;
              const mayOpen = (from: string, to: string): boolean =>
                ["x", "y", "z"].some((protocol) => currentRules.decide(from, to, protocol).isAllowed);
              const isLeft = mayOpen(link.name, other.name) || mayOpen(other.name, link.name);
              // What was cut doesn't come back by itself; what may do something is never cut.
              if (text === first) expect(link.pairs.has(other.address) || !isLeft).toBe(true);
              if (isLeft) continue;
              const shadowed =
                currentRules.isAnythingAllowed(link.name, other.name) ||
                currentRules.isAnythingAllowed(other.name, link.name);
              // Only an allow that denials above it leave nothing of, protocol by protocol, goes unnoticed.
              if (!shadowed) expect(link.pairs.has(other.address)).toBe(false);
            }
            expect([...link.pairs].length).toBeLessThanOrEqual(pairsBefore[at] ?? 0);
          }
        }
      }),
    );
  });
});
