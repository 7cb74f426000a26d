import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { errorCodes, goneReasons } from "@messagepasser/protocol";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { admin, expectProblem, Realm } from "./realm.ts";
import { invite } from "../attacks/forge.ts";
import { openTo } from "../support/batches.ts";
import { newSession } from "../support/credentials.ts";
import { type SegmentLink } from "../support/readings.ts";
import { expectTalk, pairAgain, pairUp } from "./pairs.ts";

function rulesPath(realm: Realm): string {
  return `/realms/${realm.name}/rules`;
}

async function putRules(realm: Realm, body: string): Promise<void> {
  expect((await admin(rulesPath(realm), { method: "PUT", body })).status).toBe(204);
}

async function rulesOf(realm: Realm): Promise<string> {
  const response = await admin(rulesPath(realm));
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toMatch(/^text\/plain/);
  return response.text();
}

function openWith(link: SegmentLink, peer: string, protocol: string, connection = 1): void {
  link.toRouter(openTo(peer, { connection, protocol }));
}

/** The code with which an open is refused, or what else it is answered with. */
async function outcomeOf(link: SegmentLink, peer: string, protocol = "test"): Promise<number | string> {
  openWith(link, peer, protocol);
  const answer = await link.next();
  return answer.kind === "refused" ? answer.code : answer.kind;
}

describe("a realm's rules", () => {
  test("a realm's rules are none at first, and then the last that were put, character for character, for that realm alone", async () => {
    const [realm, other] = [new Realm(), new Realm()];
    expect(await rulesOf(realm)).toBe("");
    const text = "# ünïcode, with \r\n\n  allow a -> b : c\t\n\ndefault closed\n\n# end";
    await putRules(realm, text);
    expect(await rulesOf(realm)).toBe(text);
    expect(await rulesOf(other)).toBe("");
    await evictDurableObject(realm.stub, { webSockets: "close" });
    expect(await rulesOf(realm)).toBe(text);
    await putRules(realm, "");
    expect(await rulesOf(realm)).toBe("");
  });

  test("a realm's rules deny to the names of guests what their host may open, also to what is open", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    const text = invite("alice", secret, { guest: "printer", uses: 2 });
    using alice = await realm.link("alice", secret);
    using vault = await realm.join("vault");
    using guest = await realm.link("alice/printer", text);
    await pairUp(guest, vault);
    await putRules(realm, "deny alice/* -> vault : *");
    expect(await guest.next()).toMatchObject({ kind: "gone", reason: goneReasons.forbidden });
    expect(await outcomeOf(guest, "vault")).toBe(errorCodes.notAllowed);
    expect(await outcomeOf(alice, "vault")).toBe("routed");
    const answer = await admin(`${rulesPath(realm)}/test?opener=alice/printer&peer=vault&protocol=x`);
    expect(await answer.json()).toEqual({ isAllowed: false, line: 1 });
  });

  test.each([
    ["default closed\nallow a -> b : c", /^Line 2: /],
    ["\n\nallow a b", /^Line 3: /],
    ["permit a -> b : c", /^Line 1: "permit"/],
    ["allow @staff -> b : c", /^Line 1: .*"staff"/],
    [`allow a -> b : ${"p".repeat(129)}`, /^Line 1: a protocol must have at most 128 bytes/],
    [
      ["role a0 = x x", ...Array.from({ length: 60 }, (_, at) => `role a${at + 1} = @a${at} @a${at}`)].join("\n"),
      /^Line \d+: /,
    ],
  ])("rules that can't be parsed are refused with the line, and leave the earlier ones: %s", async (text, detail) => {
    const realm = new Realm();
    await putRules(realm, "default closed");
    const answer = await admin(rulesPath(realm), { method: "PUT", body: text });
    expect(await expectProblem(answer, 400, "bad-request")).toMatch(detail);
    expect(await rulesOf(realm)).toBe("default closed");
    using alice = await realm.join("alice");
    expect(await outcomeOf(alice, "bob")).toBe(errorCodes.notAllowed);
  });

  test("rules have a limit, and are UTF-8", async () => {
    const realm = new Realm();
    const comment = `#${"x".repeat(65_535)}`;
    await putRules(realm, comment);
    const larger = await admin(rulesPath(realm), { method: "PUT", body: `${comment}x` });
    await expectProblem(larger, 413, "too-large");
    const noText = await admin(rulesPath(realm), { method: "PUT", body: Uint8Array.of(0x23, 0xff) });
    await expectProblem(noText, 400, "bad-request");
    expect(await rulesOf(realm)).toBe(comment);
  });

  test("rules can be asked for their decision, whichever clients are connected", async () => {
    const realm = new Realm();
    await putRules(realm, "role ops = ann\nallow @ops -> * : ssh\ndeny * -> vault : *\ndefault open");
    const asked: [string, string, string, object][] = [
      ["ann", "vault", "ssh", { isAllowed: true, line: 2 }],
      ["ann", "vault", "telnet", { isAllowed: false, line: 3 }],
      ["bob", "ann", "ü&=", { isAllowed: true, line: 4 }],
    ];
    for (const [opener, peer, protocol, answer] of asked) {
      const query = new URLSearchParams({ opener, peer, protocol }).toString();
      expect(await (await admin(`${rulesPath(realm)}/test?${query}`)).json()).toEqual(answer);
    }
    for (const query of ["", "?opener=a&peer=b", "?opener=a&protocol=b", "?peer=a&protocol=b"])
      await expectProblem(await admin(`${rulesPath(realm)}/test${query}`), 400, "bad-request");
  });

  test("rules that another version stored and this one can't parse let no client open anything, and can be replaced", async () => {
    const logged = vi.spyOn(console, "error").mockImplementation(() => undefined);
    onTestFinished(() => logged.mockRestore());
    const realm = new Realm();
    using alice = await realm.join("alice");
    await putRules(realm, "default open");
    await runInDurableObject(realm.stub, (_object, { storage }) => {
      storage.sql.exec("UPDATE rules SET text = 'permit all'");
    });
    await evictDurableObject(realm.stub);
    expect(await outcomeOf(alice, "bob")).toBe(errorCodes.notAllowed);
    expect(await rulesOf(realm)).toBe("permit all");
    await putRules(realm, "default open");
    expect(await outcomeOf(alice, "bob")).toBe(errorCodes.peerAbsent);
  });
});

describe("an open that rules deny", () => {
  test("an open that rules deny is refused before its peer is told, and whether or not that is connected", async () => {
    const realm = new Realm();
    await putRules(realm, "deny alice -> bob carol : test\ndefault open");
    using alice = await realm.join("alice");
    using bob = await realm.join("bob");
    const answers = [];
    for (const peer of ["bob", "carol"]) {
      openWith(alice, peer, "test");
      answers.push(await alice.nextOf("refused"));
    }
    expect(answers[0]).toMatchObject({ code: errorCodes.notAllowed, reason: expect.stringContaining("Line 1") });
    expect(answers[1]).toEqual(answers[0]);
    await bob.expectNothing();
    expect(await outcomeOf(bob, "alice")).toBe("routed");
    await alice.nextOf("open");
    expect(await outcomeOf(alice, "bob", "other")).toBe("routed");
  });

  test("an open that no line allows is refused where the default is closed", async () => {
    const realm = new Realm();
    await putRules(realm, "role staff = alice bob-*\nallow @staff -> files : ssh sftp-*\ndefault closed");
    using alice = await realm.join("alice");
    using bob = await realm.join("bob-7");
    using files = await realm.join("files");
    await evictDurableObject(realm.stub);
    for (const link of [alice, bob]) {
      for (const protocol of ["ssh", "sftp-3"]) {
        expect(await outcomeOf(link, "files", protocol)).toBe("routed");
        expect(await files.nextOf("open")).toMatchObject({ peer: link.name, protocol });
      }
      for (const [peer, protocol] of [
        ["files", "telnet"],
        ["alice", "ssh"],
        ["bob-7", "ssh"],
      ] as const)
        expect(await outcomeOf(link, peer, protocol)).toBe(errorCodes.notAllowed);
    }
    expect(await outcomeOf(files, "alice", "ssh")).toBe(errorCodes.notAllowed);
    expect(await outcomeOf(files, "files", "ssh")).toBe(errorCodes.notAllowed);
    // Built-in peers are open to all clients, and harm none.
    expect(await outcomeOf(files, "$echo", "any")).toBe("routed");
    for (const peer of ["$sink", "$slow", "$reject"])
      expect(await outcomeOf(alice, peer)).not.toBe(errorCodes.notAllowed);
  });

  test("an open that rules deny is a rejection in JSON", async () => {
    const realm = new Realm();
    await putRules(realm, "default closed");
    using alice = await realm.joinIn("mp.v1.json", "alice");
    for (const peer of ["bob", "alice"]) {
      alice.json({ type: "open", peer, connection: "alice:1", protocol: "test" });
      expect(await alice.next()).toMatchObject({ type: "refused", connection: "alice:1", code: "not-allowed" });
    }
  });
});

describe("changed rules", () => {
  const opened = 1;
  const accepted = 0;

  async function answerTo(link: SegmentLink, address: number, opener: number, protocol = "test"): Promise<string> {
    link.toRouter({ kind: "check", address, opener, protocol });
    link.toRouter({ kind: "list", request: 77, cursor: "" });
    const answer = await link.next();
    if (answer.kind === "peers") return "nothing";
    expect(answer).toMatchObject({ kind: "denied", address, opener, protocol, reason: expect.stringMatching(/./) });
    await link.nextOf("peers");
    return "denied";
  }

  test.each([false, true])(
    "changed rules are told to both ends of a pair, and their checks are answered; other links are told nothing (slept: %s)",
    async (sleeps) => {
      const realm = new Realm();
      using alice = await realm.join("alice");
      using bob = await realm.join("bob");
      using carol = await realm.join("carol");
      const toBob = await pairUp(alice, bob);
      const toCarol = await pairUp(alice, carol);
      if (sleeps) await evictDurableObject(realm.stub);
      await putRules(realm, "deny alice -> bob : test");
      expect(await alice.next()).toEqual({ kind: "rulesChanged", address: toBob.to });
      expect(await bob.next()).toEqual({ kind: "rulesChanged", address: toBob.from });
      if (sleeps) await evictDurableObject(realm.stub);
      expect(await answerTo(alice, toBob.to, opened)).toBe("denied");
      expect(await answerTo(bob, toBob.from, accepted)).toBe("denied");
      expect(await answerTo(alice, toBob.to, accepted)).toBe("nothing");
      expect(await answerTo(bob, toBob.from, opened)).toBe("nothing");
      expect(await answerTo(alice, toBob.to, opened, "other")).toBe("nothing");
      expect(await answerTo(alice, toCarol.to, opened)).toBe("nothing");
      // Nobody hears what rules say of those that it isn't paired with.
      expect(await answerTo(carol, toBob.from + 100, opened)).toBe("nothing");
      await carol.expectNothing();
      await expectTalk(alice, carol, toCarol);
      await expectTalk(alice, bob, toBob);
      // Nothing that concerns a pair has changed.
      await putRules(realm, "# the same\n\ndeny alice -> bob : test\nallow dave -> bob : *");
      for (const link of [alice, bob, carol]) await link.expectNothing();
    },
  );

  test.each([
    ["deny alice -> bob : *\ndeny bob -> alice : *", false],
    ["allow alice -> carol : *\ndefault closed", true],
    ["deny * -> bob : *\ndeny bob -> alice : *\nallow * -> * : test\ndefault closed", true],
  ])(
    "a pair to which changed rules leave nothing is cut, and doesn't come back until they leave something: %s",
    async (text, touchesOthers) => {
      const realm = new Realm();
      const { secret } = await realm.add("alice");
      using alice = await realm.link("alice", secret, newSession());
      using bob = await realm.join("bob");
      using carol = await realm.join("carol");
      const toBob = await pairUp(alice, bob);
      const toCarol = await pairUp(alice, carol);
      await evictDurableObject(realm.stub);
      await putRules(realm, text);
      expect(await alice.next()).toMatchObject({ kind: "gone", address: toBob.to, reason: goneReasons.forbidden });
      expect(await bob.next()).toEqual({ kind: "gone", address: toBob.from, reason: goneReasons.forbidden });
      // That all but what is listed is closed concerns each pair.
      if (touchesOthers) for (const link of [alice, carol]) await link.nextOf("rulesChanged");
      await expectTalk(alice, carol, toCarol);
      alice.toPeer(toBob.to, Uint8Array.of(1));
      expect(await alice.next()).toEqual({ kind: "gone", address: toBob.to, reason: goneReasons.lost });
      const absent = { kind: "absent", session: bob.session, peer: "bob", reason: goneReasons.forbidden };
      alice.resume("bob", bob.session);
      expect(await alice.next()).toEqual(absent);
      bob.resume("alice", alice.session);
      expect(await bob.next()).toEqual({ ...absent, session: alice.session, peer: "alice" });
      expect(await outcomeOf(alice, "bob")).toBe(errorCodes.notAllowed);
      await bob.expectNothing();
      await putRules(realm, "deny alice -> bob : other");
      if (touchesOthers) await alice.nextOf("rulesChanged");
      const again = await pairAgain(alice, bob);
      expect(await alice.next()).toEqual({ kind: "rulesChanged", address: again.to });
      expect(await bob.next()).toEqual({ kind: "rulesChanged", address: again.from });
      await expectTalk(alice, bob, again);
    },
  );

  test("changed rules tell a client that is paired with itself, and cut it off from itself", async () => {
    const realm = new Realm();
    using alice = await realm.join("alice");
    const address = await alice.ownAddress();
    await putRules(realm, "deny alice -> alice : other");
    expect(await alice.next()).toEqual({ kind: "rulesChanged", address });
    await alice.expectNothing();
    await putRules(realm, "deny alice -> alice : *");
    expect(await alice.next()).toEqual({ kind: "gone", address, reason: goneReasons.forbidden });
    await alice.expectNothing();
  });

  test("changed rules cut two clients of JSON, since neither can check, and leave another pair of theirs", async () => {
    const realm = new Realm();
    using alice = await realm.joinIn("mp.v1.json", "alice");
    using bob = await realm.joinIn("mp.v1.json", "bob");
    using carol = await realm.joinIn("mp.v1.json", "carol");
    for (const peer of [bob, carol]) {
      const name = peer === bob ? "bob" : "carol";
      const connection = `alice:${name.length}`;
      alice.json({ type: "open", peer: name, connection, protocol: "test" });
      expect(await peer.next()).toMatchObject({ type: "open", peer: "alice" });
      peer.json({ type: "accept", peer: "alice", connection });
      expect(await alice.next()).toMatchObject({ type: "accept", peer: name });
    }
    await evictDurableObject(realm.stub);
    await putRules(realm, "deny alice -> bob : other");
    expect(await alice.next()).toEqual({ type: "gone", peer: "bob", reason: "forbidden" });
    expect(await bob.next()).toEqual({ type: "gone", peer: "alice", reason: "forbidden" });
    alice.json({ type: "data", peer: "bob", connection: "alice:3", text: "x" });
    expect(await alice.next()).toMatchObject({ type: "gone", peer: "bob" });
    alice.json({ type: "data", peer: "carol", connection: "alice:5", text: "x" });
    expect(await carol.next()).toMatchObject({ type: "data", peer: "alice", text: "x" });
    await bob.expectOpen();
  });

  test("changed rules tell the one of two formats that can check", async () => {
    const realm = new Realm();
    using alice = await realm.joinIn("mp.v1.json", "alice");
    using bob = await realm.join("bob");
    openWith(bob, "alice", "test");
    expect(await alice.next()).toMatchObject({ type: "open", peer: "bob" });
    const { address } = await bob.nextOf("routed");
    await putRules(realm, "deny bob -> alice : test");
    expect(await bob.next()).toEqual({ kind: "rulesChanged", address });
    expect(await answerTo(bob, address, opened)).toBe("denied");
    await alice.expectOpen();
    await putRules(realm, "default closed");
    expect(await bob.next()).toEqual({ kind: "gone", address, reason: goneReasons.forbidden });
    expect(await alice.next()).toEqual({ type: "gone", peer: "bob", reason: "forbidden" });
  });

  test("changed rules tell both clients when they are paired again, while one of them was away", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("bob");
    const session = newSession();
    using alice = await realm.join("alice");
    {
      using before = await realm.link("bob", secret, session);
      await pairUp(alice, before);
    }
    await alice.nextOf("gone");
    await putRules(realm, "deny alice -> bob : test");
    using bob = await realm.link("bob", secret, session);
    const { from, to } = await pairAgain(alice, bob);
    expect(await alice.next()).toEqual({ kind: "rulesChanged", address: to });
    expect(await bob.next()).toEqual({ kind: "rulesChanged", address: from });
    expect(await answerTo(alice, to, opened)).toBe("denied");
    // Where all is open, nothing can have been closed.
    await putRules(realm, "allow alice -> bob : *");
    for (const link of [alice, bob]) await link.nextOf("rulesChanged");
    await expectTalk(alice, bob, await pairAgain(alice, bob));
    for (const link of [alice, bob]) await link.expectNothing();
  });

  test("changed rules tell no client that has no pair", async () => {
    const realm = new Realm();
    using alice = await realm.join("alice");
    using bob = await realm.join("bob");
    await putRules(realm, "default closed");
    for (const link of [alice, bob]) await link.expectNothing();
    const written = await runInDurableObject(realm.stub, (_object, { storage }) =>
      storage.sql.exec("SELECT * FROM rules").toArray(),
    );
    expect(written).toEqual([{ id: 1, text: "default closed" }]);
  });
});
