import { evictDurableObject, runDurableObjectAlarm } from "cloudflare:test";
import { closeCodes, errorCodes, goneReasons, routerLimits } from "@messagepasser/protocol";
import type { NewTokenKey } from "@messagepasser/protocol/admin";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { openTo } from "../support/batches.ts";
import { basic, newSession } from "../support/credentials.ts";
import type { SegmentLink } from "../support/readings.ts";
import { claimsOf, signedPart, tokenOf } from "../support/tokens.ts";
import { expectTalk, pairUp } from "./pairs.ts";
import { admin, expectProblem, Realm } from "./realm.ts";
import { upgrade } from "./upgrade.ts";

const wrongToken = "The token is wrong for this realm and name, or its key was removed";

/** Adds a key, by default one that the router makes. @returns its secret */
async function addKey(realm: Realm, id = "shop", terms: object = {}): Promise<string> {
  const body = JSON.stringify({ id, ...terms });
  const response = await admin(`/realms/${realm.name}/keys`, { method: "POST", body });
  expect(response.status).toBe(201);
  return (await response.json<NewTokenKey>()).secret ?? "";
}

async function revoke(realm: Realm, which: object): Promise<void> {
  const body = JSON.stringify(which);
  expect((await admin(`/realms/${realm.name}/tokens/revoke`, { method: "POST", body })).status).toBe(200);
}

/** The detail with which a token is refused. */
async function refusalOf(realm: Realm, name: string, token: string): Promise<string> {
  const response = await upgrade(`/connect/${realm.name}?session=${newSession()}`, {
    authorization: basic(name, token),
  });
  return await expectProblem(response, 401, "unauthorized");
}

async function answerTo(link: SegmentLink, peer: string, protocol: string): Promise<number | "routed"> {
  link.toRouter(openTo(peer, { protocol }));
  const answer = await link.hear("routed", "refused");
  return answer.kind === "refused" ? answer.code : "routed";
}

/** Sets the clock ahead of real time, where no alarm goes off by itself. */
function stopTime(): { now: number } {
  const clock = { now: Date.now() + 86_400_000 };
  const spy = vi.spyOn(Date, "now").mockImplementation(() => clock.now);
  onTestFinished(() => spy.mockRestore());
  return clock;
}

describe("the holder of a token", () => {
  test("a token of a realm's key lets its holder in under a name of the key's own, over hibernation too", async () => {
    const realm = new Realm();
    const key = await addKey(realm);
    using bob = await realm.join("bob");
    using ann = await realm.link("+shop/ann", tokenOf(claimsOf("ann"), key));
    const addresses = await pairUp(ann, bob);
    await evictDurableObject(realm.stub);
    await expectTalk(ann, bob, addresses);
  });

  test("a token narrows what its holder may open and serve, and never widens what the rules allow", async () => {
    const realm = new Realm();
    const key = await addKey(realm);
    const mp = { open: [{ peer: "bob*", protocol: "files/*" }], serve: ["chat"] };
    using bob = await realm.join("bob");
    using ann = await realm.link("+shop/ann", tokenOf(claimsOf("ann", { mp }), key));
    using ben = await realm.link("+shop/ben", tokenOf(claimsOf("ben"), key));
    await evictDurableObject(realm.stub);
    expect(await answerTo(ann, "bob", "files/a")).toBe("routed");
    for (const [peer, protocol] of [
      ["bob", "chat"],
      ["carol", "files/a"],
      ["+shop/ben", "files/a"],
    ] as const)
      expect(await answerTo(ann, peer, protocol)).toBe(errorCodes.notAllowed);
    expect(await answerTo(bob, "+shop/ann", "chat")).toBe("routed");
    expect(await answerTo(bob, "+shop/ann", "files/a")).toBe(errorCodes.notAllowed);
    // Without a claim a holder opens what the rules allow, and serves nothing.
    expect(await answerTo(ben, "bob", "anything")).toBe("routed");
    expect(await answerTo(bob, "+shop/ben", "chat")).toBe(errorCodes.notAllowed);
    const rules = "allow bob -> * : *\ndefault closed";
    expect((await admin(`/realms/${realm.name}/rules`, { method: "PUT", body: rules })).status).toBe(204);
    expect(await answerTo(ann, "bob", "files/b")).toBe(errorCodes.notAllowed);
    const others = "allow +shop/* -> bob : files/*\ndefault closed";
    expect((await admin(`/realms/${realm.name}/rules`, { method: "PUT", body: others })).status).toBe(204);
    expect(await answerTo(ann, "bob", "files/c")).toBe("routed");
    expect(await answerTo(ben, "bob", "anything")).toBe(errorCodes.notAllowed);
  });

  test.each([false, true])(
    "a link ends with its token, with a code after which its client may come back, and peers wait (slept: %s)",
    async (sleeps) => {
      const clock = stopTime();
      const realm = new Realm();
      const key = await addKey(realm);
      const iat = Math.floor(clock.now / 1_000);
      using bob = await realm.join("bob");
      using ann = await realm.link("+shop/ann", tokenOf({ sub: "ann", iat, exp: iat + 60 }, key));
      using ben = await realm.link("+shop/ben", tokenOf({ sub: "ben", iat, exp: iat + 90 }, key));
      const { from } = await pairUp(ann, bob);
      if (sleeps) await evictDurableObject(realm.stub);
      clock.now = (iat + 60) * 1_000;
      expect(await runDurableObjectAlarm(realm.stub)).toBe(true);
      expect(await ann.closedByRouter()).toEqual({
        code: closeCodes.expired,
        reason: "The token has expired: connect again with a new one",
      });
      expect(await bob.next()).toEqual({ kind: "gone", address: from, reason: goneReasons.lost });
      expect(await ben.outcome()).toBe("open");
      clock.now = (iat + 90) * 1_000;
      expect(await runDurableObjectAlarm(realm.stub)).toBe(true);
      expect(await ben.closedByRouter()).toMatchObject({ code: closeCodes.expired });
    },
  );

  test.each<[string, (realm: Realm) => Promise<unknown>]>([
    ["the holder's tokens are revoked", (realm) => revoke(realm, { name: "+shop/ann" })],
    ["the key's tokens are revoked", (realm) => revoke(realm, { key: "shop" })],
    ["the key is removed", (realm) => admin(`/realms/${realm.name}/keys/shop`, { method: "DELETE" })],
  ])(
    "a holder is cut off for good when %s, though the object has slept, and holders of another key stay",
    async (what, change) => {
      const realm = new Realm();
      const [key, other] = [await addKey(realm), await addKey(realm, "forum")];
      const token = tokenOf(claimsOf("ann"), key);
      using ann = await realm.link("+shop/ann", token);
      using ben = await realm.link("+shop/ben", tokenOf(claimsOf("ben"), key));
      using cy = await realm.link("+forum/ann", tokenOf(claimsOf("ann"), other));
      await evictDurableObject(realm.stub);
      await change(realm);
      expect(await ann.closedByRouter()).toEqual({
        code: closeCodes.revoked,
        reason: "The token or its key was revoked",
      });
      expect(await refusalOf(realm, "+shop/ann", token)).toMatch(/revoked|removed/);
      expect(await ben.outcome()).toEqual(
        what.startsWith("the holder") ? "open" : expect.objectContaining({ code: closeCodes.revoked }),
      );
      expect(await cy.outcome()).toBe("open");
      const later = Math.floor(Date.now() / 1_000) + 2;
      if (what !== "the key is removed")
        (await realm.link("+shop/ann", tokenOf(claimsOf("ann", { iat: later }), key)))[Symbol.dispose]();
    },
  );
});

describe("a token that isn't taken", () => {
  test("a token that its key didn't sign for this name is refused like a wrong secret", async () => {
    const realm = new Realm();
    const [key, others] = [await addKey(realm), await addKey(realm, "forum")];
    const foreign = new Realm();
    const foreignKey = await addKey(foreign);
    const good = tokenOf(claimsOf("ann"), key);
    const [header = "", , signature = ""] = good.split(".");
    const widened = Buffer.from(JSON.stringify(claimsOf("ann", { mp: { serve: ["*"] } }))).toString("base64url");
    for (const [name, token] of [
      ["+shop/ann", `${header}.${widened}.${signature}`],
      ["+shop/ann", `${signedPart(claimsOf("ann"), { alg: "none" })}.`],
      ["+shop/ann", `${signedPart(claimsOf("ann"), { alg: "none" })}.AA`],
      ["+shop/ann", tokenOf(claimsOf("ann"), others)],
      ["+shop/ann", tokenOf(claimsOf("ann"), foreignKey)],
      ["+shop/ann", tokenOf(claimsOf("ann"), "")],
      ["+shop/ann", tokenOf(claimsOf("ann"), key, { alg: "HS256", crit: ["x"], x: 1 })],
      ["+shop/ann", tokenOf(claimsOf("ann"), key, { alg: "HS512" })],
      [
        "+shop/ann",
        tokenOf(claimsOf("ann"), "A".repeat(43), { alg: "HS256", jwk: { kty: "oct", k: "QUFB" }, jku: "https://x" }),
      ],
      ["+shop/ben", good],
      ["+forum/ann", good],
      ["+nothing/ann", good],
      ["+shop", good],
      ["+shop/", good],
      ["+/ann", good],
      ["+shop/ann", ""],
      ["+shop/ann", "a.b.c"],
      ["+shop/ann", `${good}${"A".repeat(routerLimits.maxTokenLength)}`],
    ] as const)
      expect(await refusalOf(realm, name, token), `${name} ${token}`).toBe(wrongToken);
    for (const name of ["ann", "shop/ann"])
      expect(await refusalOf(realm, name, good)).toMatch(/^Name or secret is wrong/);
    expect(await refusalOf(foreign, "+shop/ann", good)).toBe(wrongToken);
    using ann = await realm.link("+shop/ann", good);
    expect(await ann.outcome()).toBe("open");
  });

  test("a token that a key signed, and that isn't valid, is refused with the reason", async () => {
    const realm = new Realm();
    const key = await addKey(realm);
    const now = Math.floor(Date.now() / 1_000);
    const late = now + routerLimits.tokenLeewayS + 60;
    const cases: [object, string][] = [
      [{ exp: now - 1 }, "The token has expired: get a new one"],
      [{ exp: undefined }, 'The token has no "exp"'],
      [{ exp: "soon" }, 'The token\'s "exp" is no number'],
      [{ exp: now + routerLimits.defaultTokenLifeS + 1 }, "The token is valid for more than 86400 seconds"],
      [{ iat: undefined }, 'The token has no "iat"'],
      [{ iat: late }, 'The token isn\'t valid yet, by its "iat"'],
      [{ nbf: late }, 'The token isn\'t valid yet, by its "nbf"'],
      [{ aud: "wss://elsewhere.test/connect/home" }, "The token's \"aud\" must be the realm's address"],
      [{ aud: 7 }, "The token's \"aud\" must be the realm's address"],
      [{ sub: undefined }, 'The token has no "sub"'],
      [{ sub: 7 }, 'The token\'s "sub" must be a string'],
      [{ mp: 7 }, expect.stringContaining('The token\'s "mp" must be as in')],
      [{ mp: { open: [{ peer: "bob" }] } }, expect.stringContaining('The token\'s "mp" must be as in')],
      [{ mp: { serve: [""] } }, expect.stringContaining('The token\'s "mp" must be as in')],
      [{ mp: { serves: ["chat"] } }, expect.stringContaining('The token\'s "mp" must be as in')],
      [{ mp: { serve: ["x".repeat(500)] } }, 'The token\'s "mp" has more than 512 bytes'],
    ];
    for (const [claims, detail] of cases)
      expect(
        await refusalOf(realm, "+shop/ann", tokenOf(claimsOf("ann", claims as Record<string, unknown>), key)),
      ).toEqual(detail);
    const aud = ["x", `wss://router.test/connect/${realm.name}`];
    using ann = await realm.link("+shop/ann", tokenOf(claimsOf("ann", { aud, nbf: now, iat: now + 5 }), key));
    expect(await ann.outcome()).toBe("open");
  });

  test.each([
    ["", "must not be empty"],
    ["$echo", expect.stringContaining("router's own")],
    ["+forum/ann", 'must not begin with "+": such names belong to the holders of tokens'],
    ["a:b", 'must not contain ":"'],
    ["a\nb", "must not contain control characters"],
    ["a\ud800", "must be well-formed Unicode"],
    ["a\u200bb", expect.stringContaining("characters that can't be seen")],
    [" ann", "must not begin or end with white space"],
    ["n".repeat(123), "must have at most 128 bytes"],
    ["..", expect.stringContaining('must not be "."')],
  ])("a token for the subject %j is refused with the rule that the subject breaks", async (sub, rule) => {
    const realm = new Realm();
    const key = await addKey(realm);
    const detail = await refusalOf(realm, "+shop/ann", tokenOf(claimsOf(sub), key));
    expect(detail.replace('The token\'s "sub" ', "")).toEqual(rule);
  });

  test("no client that an owner adds has the name of a holder", async () => {
    const realm = new Realm();
    for (const name of ["+shop/ann", "+shop", "+"]) {
      const response = await admin(`/realms/${realm.name}/clients`, { method: "POST", body: JSON.stringify({ name }) });
      expect(await expectProblem(response, 400, "bad-request")).toContain("belong to the holders of tokens");
    }
  });
});
