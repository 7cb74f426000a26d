import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import {
  closeCodes,
  errorCodes,
  goneReasons,
  type Invitation,
  invitationBytes,
  invitationMacBytes,
  invitationText,
  routerLimits,
  subprotocols,
} from "@messagepasser/protocol";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { upgradeRequest } from "../../src/realm/admission.ts";
import { SocketLink } from "../../src/realm/socket-link.ts";
import { Counters } from "../../src/realm/usage.ts";
import worker from "../../src/worker.ts";
import { admin, expectProblem, pepper, Realm } from "./realm.ts";
import { openTo } from "../support/batches.ts";
import { basic, newSession } from "../support/credentials.ts";
import { type SegmentLink } from "../support/readings.ts";
import { expectTalk, pairAgain, pairUp } from "./pairs.ts";
import { upgrade } from "./upgrade.ts";

const revoked = { code: closeCodes.revoked, reason: "The secret was rotated or revoked" };

type Terms = Partial<Invitation>;

/** An invitation as its host makes it, from nothing but its own secret. */
function invitationOf(host: string, secret: string, terms: Terms = {}): Invitation {
  const bytes = Buffer.from(secret.slice(3), "base64url");
  return {
    host,
    secretId: bytes.toString("hex", 1, 9),
    revision: bytes.readUInt32BE(9),
    guest: "eve",
    peer: "*",
    protocol: "*",
    expiresAtMs: Date.now() + 60_000,
    uses: 1,
    nonce: newSession().slice(0, 16),
    serves: [],
    ...terms,
  };
}

function inviteKey(secret: string): Uint8Array {
  return Buffer.from(secret.slice(3), "base64url").subarray(45, 61);
}

function signed(invitation: Invitation, key: Uint8Array): { bytes: Uint8Array; mac: Uint8Array; text: string } {
  const bytes = invitationBytes(invitation);
  const mac = createHmac("sha256", key).update(bytes).digest().subarray(0, invitationMacBytes);
  return { bytes, mac, text: invitationText(bytes, mac) };
}

function invite(host: string, secret: string, terms: Terms = {}): string {
  return signed(invitationOf(host, secret, terms), inviteKey(secret)).text;
}

async function expectRefused(realm: Realm, name: string, text: string, session = newSession()): Promise<void> {
  const response = await upgrade(`/connect/${realm.name}?session=${session}`, { authorization: basic(name, text) });
  expect(await expectProblem(response, 401, "unauthorized")).toBe(
    "Name or secret is wrong for this realm, or the secret was rotated or revoked",
  );
}

async function refusal(link: SegmentLink, peer: string, protocol: string): Promise<number | "routed"> {
  link.toRouter(openTo(peer, { protocol }));
  const answer = await link.next();
  if (answer.kind === "refused") return answer.code;
  expect(answer.kind).toBe("routed");
  return "routed";
}

async function putRules(realm: Realm, body: string): Promise<void> {
  expect((await admin(`/realms/${realm.name}/rules`, { method: "PUT", body })).status).toBe(204);
}

/** Sets the clock ahead of real time, where no alarm goes off by itself. */
function stopTime(): { now: number } {
  const clock = { now: Date.now() + 86_400_000 };
  const spy = vi.spyOn(Date, "now").mockImplementation(() => clock.now);
  onTestFinished(() => spy.mockRestore());
  return clock;
}

describe("a guest", () => {
  test("a guest comes in under its host's name and its own, and talks with its allowed peers", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    using bob = await realm.join("bob");
    using guest = await realm.link("alice/eve", invite("alice", secret, { peer: "bob", protocol: "te*" }));
    const addresses = await pairUp(guest, bob);
    await expectTalk(guest, bob, addresses);
    await evictDurableObject(realm.stub);
    await expectTalk(guest, bob, addresses);
    expect(await refusal(guest, "$echo", "x")).toBe("routed");
  });

  test("a guest may open what its invitation says to the peers that it says, and is told so whether or not they are connected", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    using bob = await realm.join("bob-1");
    using carol = await realm.join("carol");
    using guest = await realm.link("alice/eve", invite("alice", secret, { peer: "bob-*", protocol: "files/*" }));
    await evictDurableObject(realm.stub);
    expect(await refusal(guest, "bob-1", "files/a")).toBe("routed");
    await bob.nextOf("open");
    expect(await refusal(guest, "bob-2", "files/a")).toBe(errorCodes.peerAbsent);
    for (const [peer, protocol] of [
      ["bob-1", "test"],
      ["bob-2", "test"],
      ["carol", "files/a"],
      ["dave", "files/a"],
      ["alice", "files/a"],
      ["alice/eve", "files/a"],
    ] as const)
      expect(await refusal(guest, peer, protocol)).toBe(errorCodes.notAllowed);
    await bob.expectNothing();
    await carol.expectNothing();
  });

  test("a used invitation that is tried again and again uses up none of the rate of its host's guests", async () => {
    stopTime();
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    const used = invitationOf("alice", secret);
    using _ = await realm.link("alice/eve", signed(used, inviteKey(secret)).text);
    const admission = { realm: realm.name, name: "alice/eve", invitation: used };
    // As the Worker asks the object.
    await runInDurableObject(realm.stub, (object) => {
      for (let at = 0; at < routerLimits.maxJoinsAtOnce; at++) {
        const request = upgradeRequest({
          admission,
          session: newSession(),
          instance: "",
          resumes: true,
          format: subprotocols.native,
        });
        expect(object.fetch(request).status).toBe(401);
      }
    });
    using other = await realm.link("alice/mallory", invite("alice", secret, { guest: "mallory" }));
    await other.expectNothing();
  });

  test("a guest that serves nothing takes no Connections, not even from its host", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    using alice = await realm.link("alice", secret);
    using bob = await realm.join("bob");
    using guest = await realm.link("alice/eve", invite("alice", secret));
    for (const link of [alice, bob]) expect(await refusal(link, "alice/eve", "test")).toBe(errorCodes.notAllowed);
    await guest.expectNothing();
    expect(await refusal(guest, "alice", "test")).toBe("routed");
    await alice.nextOf("open");
    expect(await refusal(guest, "alice/eve", "test")).toBe(errorCodes.peerAbsent);
  });

  test("a guest is opened what its invitation lets it serve, over hibernation, until its invitation or its host's secret ends", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    using alice = await realm.link("alice", secret);
    using bob = await realm.join("bob");
    const text = invite("alice", secret, { peer: "", protocol: "", serves: ["test", "亀/*"], uses: 2 });
    using first = await realm.link("alice/eve", text);
    using second = await realm.link("alice/eve", text);
    await evictDurableObject(realm.stub);
    for (const link of [alice, bob]) {
      expect(await refusal(link, "alice/eve", "亀/a")).toBe("routed");
      expect(await refusal(link, "alice/eve", "other")).toBe(errorCodes.notAllowed);
      // The newest of the two.
      expect(await second.nextOf("open")).toMatchObject({ peer: link.name, protocol: "亀/a" });
    }
    expect(await refusal(second, "bob", "test")).toBe(errorCodes.notAllowed);
    await putRules(realm, "deny bob -> alice : *");
    expect(await bob.next()).toMatchObject({ kind: "gone", reason: goneReasons.forbidden });
    expect(await second.next()).toMatchObject({ kind: "gone", reason: goneReasons.forbidden });
    expect(await refusal(bob, "alice/eve", "test")).toBe(errorCodes.peerAbsent);
    await realm.revoke("alice");
    for (const guest of [first, second]) expect(await guest.closedByRouter()).toEqual(revoked);
  });

  test("a guest resumes with the peers that it may open to, and they with it, and with no other peer", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    using bob = await realm.join("bob");
    using carol = await realm.join("carol");
    const text = invite("alice", secret, { peer: "bob" });
    const session = newSession();
    {
      using before = await realm.link("alice/eve", text, session);
      await pairUp(before, bob);
    }
    await bob.nextOf("gone");
    using guest = await realm.link("alice/eve", text, session);
    const addresses = await pairAgain(guest, bob);
    // It may have come back with another invitation.
    expect(await guest.next()).toEqual({ kind: "rulesChanged", address: addresses.to });
    expect(await bob.next()).toEqual({ kind: "rulesChanged", address: addresses.from });
    await expectTalk(guest, bob, addresses);
    await expectTalk(bob, guest, await pairAgain(bob, guest));
    guest.resume("carol", carol.session);
    expect(await guest.next()).toEqual({
      kind: "absent",
      session: carol.session,
      peer: "carol",
      reason: goneReasons.forbidden,
    });
    carol.resume("alice/eve", session);
    expect(await carol.next()).toMatchObject({ kind: "absent", session, reason: goneReasons.forbidden });
    for (const link of [guest, carol]) await link.expectNothing();
  });

  test("a guest is bound by its host's rules, now and when they change", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    using bob = await realm.join("bob");
    using carol = await realm.join("carol");
    await putRules(realm, "deny alice -> bob : secret\ndeny alice -> carol : *");
    using guest = await realm.link("alice/eve", invite("alice", secret));
    expect(await refusal(guest, "bob", "secret")).toBe(errorCodes.notAllowed);
    expect(await refusal(guest, "carol", "test")).toBe(errorCodes.notAllowed);
    const { from, to } = await pairUp(guest, bob);
    await evictDurableObject(realm.stub);
    await putRules(realm, "deny alice -> bob : test");
    expect(await guest.next()).toEqual({ kind: "rulesChanged", address: to });
    expect(await bob.next()).toEqual({ kind: "rulesChanged", address: from });
    guest.toRouter({ kind: "check", address: to, opener: 1, protocol: "test" });
    expect(await guest.next()).toMatchObject({ kind: "denied", address: to, opener: 1, protocol: "test" });
    bob.toRouter({ kind: "check", address: from, opener: 0, protocol: "test" });
    expect(await bob.next()).toMatchObject({ kind: "denied", address: from, opener: 0, protocol: "test" });
    guest.toRouter({ kind: "check", address: to, opener: 1, protocol: "other" });
    await guest.expectNothing();
    // Bob may still open to alice, but to no guest of hers.
    await putRules(realm, "deny alice -> bob : *");
    expect(await guest.next()).toEqual({ kind: "gone", address: to, reason: goneReasons.forbidden });
    expect(await bob.next()).toEqual({ kind: "gone", address: from, reason: goneReasons.forbidden });
    await carol.expectNothing();
  });
});

describe("rules for invitations", () => {
  test("a guest is refused once the rules let its host invite nobody, and a guest that is there leaves", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    const bob = await realm.add("bob");
    using guest = await realm.link("alice/eve", invite("alice", secret));
    await putRules(realm, "allow invite bob\ndeny invite *");
    expect(await guest.closedByRouter()).toEqual({
      code: closeCodes.revoked,
      reason: "The realm's rules no longer let the client that invited you have guests",
    });
    await expectRefused(realm, "alice/eve", invite("alice", secret));
    using other = await realm.link("bob/eve", invite("bob", bob.secret));
    await other.expectNothing();
  });
});

describe("an invalid invitation", () => {
  const widened: Terms[] = [
    { host: "bob" },
    { secretId: "0123456789abcdef" },
    { revision: 2 },
    { guest: "mallory" },
    { peer: "*" },
    { protocol: "*" },
    { serves: ["*"] },
    { expiresAtMs: Number.MAX_SAFE_INTEGER },
    { uses: 1_000 },
    { nonce: "0123456789abcdef" },
  ];

  test.each(widened)(
    "an invitation with another %o than was signed is answered like a wrong secret",
    async (change) => {
      const realm = new Realm();
      const { secret } = await realm.add("alice");
      await realm.add("bob");
      const invitation = invitationOf("alice", secret, { peer: "bob", protocol: "test" });
      const { mac } = signed(invitation, inviteKey(secret));
      const changed = { ...invitation, ...change };
      await expectRefused(realm, `${changed.host}/${changed.guest}`, invitationText(invitationBytes(changed), mac));
      using guest = await realm.link("alice/eve", signed(invitation, inviteKey(secret)).text);
      expect(await guest.outcome()).toBe("open");
    },
  );

  test("an invitation for another name, realm or host, one that was cut, one that has expired and a stranger's are answered like a wrong secret", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    const { secret: bobs } = await realm.add("bob");
    const text = invite("alice", secret);
    for (const name of ["alice", "eve", "alice/", "alice/eve/", "alice/mallory", "bob/eve", "/eve"])
      await expectRefused(realm, name, text);
    const other = new Realm();
    await other.add("alice");
    await expectRefused(other, "alice/eve", text);
    await expectRefused(realm, "alice/eve", signed(invitationOf("alice", secret), inviteKey(bobs)).text);
    await expectRefused(realm, "bob/eve", signed(invitationOf("bob", bobs), inviteKey(secret)).text);
    await expectRefused(realm, "carol/eve", invite("carol", secret));
    for (const length of [4, 5, 20, 26, text.length - 1])
      await expectRefused(realm, "alice/eve", text.slice(0, length));
    for (const more of ["A", "AAAA", "====", "!"]) await expectRefused(realm, "alice/eve", text + more);
    await expectRefused(realm, "alice/eve", invite("alice", secret, { expiresAtMs: Date.now() - 1 }));
    for (const terms of [{ uses: 0 }, { uses: 1_001 }, { uses: 0.5 }, { peer: "" }, { protocol: "p".repeat(129) }])
      await expectRefused(realm, "alice/eve", invite("alice", secret, terms));
    await expectRefused(realm, "alice/e/f", invite("alice", secret, { guest: "e/f" }));
    await expectRefused(realm, "alice", secret.slice(0, -1));
    using guest = await realm.link("alice/eve", text);
    expect(await guest.outcome()).toBe("open");
  });

  test("an invitation that a guest has made is answered like a wrong secret: its invitation holds no key", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    const invitation = invitationOf("alice", secret, { uses: 10 });
    const { mac, bytes, text } = signed(invitation, inviteKey(secret));
    using guest = await realm.link("alice/eve", text);
    for (const key of [mac, bytes, Buffer.from(text), new Uint8Array(16)]) {
      await expectRefused(realm, "alice/mallory", signed({ ...invitation, guest: "mallory" }, key).text);
      const further = { ...invitation, host: "alice/eve", guest: "mallory" };
      await expectRefused(realm, "alice/eve/mallory", signed(further, key).text);
    }
    // Nor does a host's key make any for a guest of its guest.
    const further = { ...invitation, host: "alice/eve", guest: "mallory" };
    await expectRefused(realm, "alice/eve/mallory", signed(further, inviteKey(secret)).text);
    expect(await guest.outcome()).toBe("open");
  });

  test("an invitation with an invalid signature is answered like a wrong secret, and costs neither KV nor the object anything", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    const { MP_ADMIN_TOKEN } = env;
    const nothing = (): never => {
      throw new Error("Asked for what a guess may not cost");
    };
    // The Worker asks nothing else of the two.
    const bindings = {
      MP_ADMIN_TOKEN,
      MP_PEPPER: pepper,
      CREDENTIALS: { get: nothing } as unknown as KVNamespace,
      ROUTER: { getByName: nothing } as unknown as typeof env.ROUTER,
    };
    const forged = [
      signed(invitationOf("alice", secret), new Uint8Array(16)).text,
      invite("alice", secret, { expiresAtMs: 1 }),
      "mpi_",
      `mpi_${"A".repeat(3_000)}`,
    ];
    for (const text of forged) {
      const headers = {
        upgrade: "websocket",
        "sec-websocket-protocol": subprotocols.native,
        authorization: basic("alice/eve", text),
      };
      const request = new Request(`https://router.test/connect/${realm.name}`, { headers });
      await expectProblem(await worker.fetch(request, bindings), 401, "unauthorized");
    }
  });
});

describe("the uses of an invitation", () => {
  test("an invitation's uses are sessions: one that comes back is the same, over hibernation and after an eviction", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    const text = invite("alice", secret, { uses: 2 });
    const [first, second] = [newSession(), newSession()];
    for (const webSockets of ["hibernate", "close"] as const) {
      for (const session of [first, first, second, first]) {
        using guest = await realm.link("alice/eve", text, session);
        expect(await guest.outcome()).toBe("open");
      }
      await evictDurableObject(realm.stub, { webSockets });
      await expectRefused(realm, "alice/eve", text);
    }
  });

  test("an invitation's uses are counted for each invitation, even if its guests come at the same time", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    const [one, other] = [invite("alice", secret, { uses: 3 }), invite("alice", secret)];
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => realm.link("alice/eve", one)));
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(3);
    using guest = await realm.link("alice/eve", other);
    expect(await guest.outcome()).toBe("open");
  });
});

describe("a live guest", () => {
  test.each<[string, (realm: Realm) => Promise<unknown>]>([
    ["revoked", (realm) => realm.revoke("alice")],
    ["rotated", (realm) => realm.rotate("alice")],
    ["disabled", (realm) => admin(`${realm.clientPath("alice")}/disable`, { method: "POST" })],
  ])(
    "a guest is cut off at once when its host is %s, though the object has slept, and no other guest is",
    async (_what, change) => {
      const realm = new Realm();
      const { secret } = await realm.add("alice");
      const { secret: bobs } = await realm.add("bob");
      using bob = await realm.link("bob", bobs);
      using guest = await realm.link("alice/eve", invite("alice", secret));
      using second = await realm.link("alice/fay", invite("alice", secret, { guest: "fay" }));
      using other = await realm.link("bob/eve", invite("bob", bobs));
      const { to, from } = await pairUp(guest, bob);
      expect(to).not.toBe(from);
      await evictDurableObject(realm.stub);
      await change(realm);
      expect(await guest.closedByRouter()).toEqual(revoked);
      expect(await second.closedByRouter()).toEqual(revoked);
      expect(await bob.next()).toEqual({ kind: "gone", address: from, reason: goneReasons.ended });
      expect(await other.outcome()).toBe("open");
      await expectRefused(realm, "alice/eve", invite("alice", secret));
    },
  );

  test("a guest stays as long as the secret that made its invitation", async () => {
    const clock = stopTime();
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    using guest = await realm.link("alice/eve", invite("alice", secret, { expiresAtMs: clock.now + 3_600_000 }));
    const body = JSON.stringify({ overlapS: 60 });
    const rotated = await admin(`${realm.clientPath("alice")}/rotate`, { method: "POST", body });
    const { secret: newSecret } = await rotated.json<{ secret: string }>();
    using newGuest = await realm.link("alice/fay", invite("alice", newSecret, { guest: "fay" }));
    expect(await guest.outcome()).toBe("open");
    await evictDurableObject(realm.stub);
    clock.now += 60_000;
    expect(await runDurableObjectAlarm(realm.stub)).toBe(true);
    expect(await guest.closedByRouter()).toEqual(revoked);
    expect(await newGuest.closedByRouter()).toMatchObject({ code: closeCodes.revoked });
  });

  test.each([false, true])(
    "a guest is closed by the alarm when its time is over, and its use is forgotten (slept: %s)",
    async (sleeps) => {
      const clock = stopTime();
      const realm = new Realm();
      const { secret } = await realm.add("alice");
      using bob = await realm.join("bob");
      const text = invite("alice", secret, { expiresAtMs: clock.now + 60_000 });
      using guest = await realm.link("alice/eve", text);
      using later = await realm.link(
        "alice/fay",
        invite("alice", secret, { guest: "fay", expiresAtMs: clock.now + 90_000 }),
      );
      const { from } = await pairUp(guest, bob);
      if (sleeps) await evictDurableObject(realm.stub);
      clock.now += 60_000;
      expect(await runDurableObjectAlarm(realm.stub)).toBe(true);
      expect(await guest.closedByRouter()).toEqual({ code: closeCodes.revoked, reason: "The invitation has expired" });
      expect(await bob.next()).toEqual({ kind: "gone", address: from, reason: goneReasons.ended });
      expect(await later.outcome()).toBe("open");
      await expectRefused(realm, "alice/eve", text, guest.session);
      const known = await runInDurableObject(realm.stub, async (_object, { storage }) => ({
        alarmMs: await storage.getAlarm(),
        guests: storage.sql.exec("SELECT * FROM guests").toArray().length,
      }));
      expect(known).toEqual({ alarmMs: clock.now + 30_000, guests: 1 });
    },
  );

  test("a guest may be invited for a year, and for no longer", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    const inMs = (ms: number): string => invite("alice", secret, { expiresAtMs: Date.now() + ms });
    await expectRefused(realm, "alice/eve", inMs(routerLimits.maxInvitationLifeMs + 60_000));
    await expectRefused(realm, "alice/eve", invite("alice", secret, { expiresAtMs: Number.MAX_SAFE_INTEGER }));
    using guest = await realm.link("alice/eve", inMs(routerLimits.maxInvitationLifeMs - 60_000));
    expect(await guest.outcome()).toBe("open");
    await runDurableObjectAlarm(realm.stub);
    expect(await guest.outcome()).toBe("open");
  });

  test("a guest is refused while its host has as many sessions of guests as the object remembers", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    const { secret: bobs } = await realm.add("bob");
    await runInDurableObject(realm.stub, (_object, { storage }) => {
      storage.sql.exec(
        `INSERT INTO guests WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
          SELECT 'alice', 'n', i, ? FROM n`,
        routerLimits.maxGuestSessions,
        Date.now() + 60_000,
      );
    });
    await expectRefused(realm, "alice/eve", invite("alice", secret));
    using others = await realm.link("bob/eve", invite("bob", bobs));
    expect(await others.outcome()).toBe("open");
    const left = async (): Promise<unknown> =>
      await runInDurableObject(realm.stub, (_object, { storage }) =>
        storage.sql.exec("SELECT COUNT(*) AS count FROM guests WHERE host = 'alice'").one(),
      );
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60_000 });
    try {
      for (let alarms = 0; alarms < 10; alarms++) await runDurableObjectAlarm(realm.stub);
      expect(await left()).toEqual({ count: 0 });
      using guest = await realm.link("alice/eve", invite("alice", secret));
      expect(await guest.outcome()).toBe("open");
    } finally {
      vi.useRealTimers();
    }
  });

  test("a guest has no name that a client has, and loses one that a client gets", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    const text = invite("alice", secret, { uses: 10 });
    using guest = await realm.link("alice/eve", text);
    const { secret: own } = await realm.add("alice/eve");
    expect(await guest.closedByRouter()).toMatchObject({ code: closeCodes.revoked });
    await expectRefused(realm, "alice/eve", text);
    await expectRefused(realm, "alice/eve", text, guest.session);
    using client = await realm.link("alice/eve", own);
    await realm.rotate("alice");
    expect(await client.outcome()).toBe("open");
  });

  test("a guest with the longest names fits its attachment, with the most pairs", async () => {
    const realm = new Realm();
    const long = `${"n".repeat(120)}亀`;
    const { secret } = await realm.add(long);
    const patterns = { peer: `*${"n".repeat(124)}亀`, protocol: `${"p".repeat(125)}亀` };
    using guest = await realm.link(`${long}/eve`, invite(long, secret, patterns));
    await runInDurableObject(realm.stub, (_object, state) => {
      const [socket] = state.getWebSockets("guest");
      const link = socket && SocketLink.restore(state, new Counters(0), socket);
      if (link === undefined) throw new Error("No link");
      link.formatMemory = crypto.getRandomValues(new Uint8Array(2_048));
      let address = 1_000_000;
      while (link.pairs.add(address)) address++;
      expect(address - 1_000_000).toBe(routerLimits.maxPairs);
      link.pairs.overflow();
    });
    expect(await guest.outcome()).toBe("open");
  });
});
