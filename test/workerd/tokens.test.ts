import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { Buffer } from "node:buffer";
import { closeCodes, errorCodes, goneReasons, routerLimits, subprotocols } from "@messagepasser/protocol";
import type { NewTokenKey } from "@messagepasser/protocol/admin";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { Env } from "../../src/env.ts";
import { SocketLink } from "../../src/realm/socket-link.ts";
import { Counters } from "../../src/realm/usage.ts";
import worker from "../../src/worker.ts";
import { openTo } from "../support/batches.ts";
import { basic, newSession } from "../support/credentials.ts";
import { RawLink } from "../support/raw-link.ts";
import { type SegmentLink, segmentReading } from "../support/readings.ts";
import { claimsOf, signedPart, tokenOf } from "../support/tokens.ts";
import { expectTalk, pairUp } from "./pairs.ts";
import { admin, expectProblem, pepper, Realm } from "./realm.ts";
import { socketOf, upgrade } from "./upgrade.ts";

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

  test("links whose tokens expire together are told to come back over a while, so that no application is asked for all at once", async () => {
    const clock = stopTime();
    const realm = new Realm();
    const key = await addKey(realm);
    const iat = Math.floor(clock.now / 1_000);
    using ann = await realm.link("+shop/ann", tokenOf({ sub: "ann", iat, exp: iat + 60 }, key));
    using ben = await realm.link("+shop/ben", tokenOf({ sub: "ben", iat, exp: iat + 60 }, key));
    clock.now = (iat + 60) * 1_000;
    expect(await runDurableObjectAlarm(realm.stub)).toBe(true);
    for (const link of [ann, ben]) {
      await link.closedByRouter();
      expect(link.announcedDelayMs).toBe(Math.floor(1_000 / routerLimits.maxHolderJoinsPerSecond));
    }
  });

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
      [{ mp: [] }, expect.stringContaining('The token\'s "mp" must be as in')],
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

describe("a key of an application's own", () => {
  const audience = { audiences: ["messages"] };
  const algorithms = [
    ["ES256", { name: "ECDSA", namedCurve: "P-256" }, { name: "ECDSA", hash: "SHA-256" }],
    ["EdDSA", { name: "Ed25519" }, { name: "Ed25519" }],
    [
      "RS256",
      { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256", modulusLength: 2_048, publicExponent: new Uint8Array([1, 0, 1]) },
      { name: "RSASSA-PKCS1-v1_5" },
    ],
  ] as const;

  async function pairOf(algorithm: object): Promise<CryptoKeyPair> {
    return (await crypto.subtle.generateKey(algorithm as { name: string }, true, ["sign", "verify"])) as CryptoKeyPair;
  }

  async function pemOf({ publicKey }: CryptoKeyPair): Promise<string> {
    const bytes = Buffer.from(await crypto.subtle.exportKey("spki", publicKey)).toString("base64");
    return `-----BEGIN PUBLIC KEY-----\n${bytes.replace(/.{64}/g, "$&\n")}\n-----END PUBLIC KEY-----\n`;
  }

  async function signed(claims: object, { privateKey }: CryptoKeyPair, header: object, how: object): Promise<string> {
    const text = signedPart(claims as Record<string, unknown>, header as Record<string, unknown>);
    const bytes = await crypto.subtle.sign(how as { name: string }, privateKey, Buffer.from(text));
    return `${text}.${Buffer.from(bytes).toString("base64url")}`;
  }

  test.each(algorithms)(
    "a token of an owner's public key by %s is taken, with its audience only, and never by its public key as a secret",
    async (alg, algorithm, how) => {
      const realm = new Realm();
      const pair = await pairOf(algorithm);
      const pem = await pemOf(pair);
      const jwk = (await crypto.subtle.exportKey("jwk", pair.publicKey)) as object;
      await addKey(realm, "pem", { publicKey: pem, ...audience });
      await addKey(realm, "jwk", { publicKey: jwk });
      const claims = claimsOf("ann", { aud: "messages" });
      const token = await signed(claims, pair, { alg }, how);
      (await realm.link("+pem/ann", token))[Symbol.dispose]();
      const aud = `https://router.test/connect/${realm.name}`;
      (await realm.link("+jwk/ann", await signed(claimsOf("ann", { aud }), pair, { alg }, how)))[Symbol.dispose]();
      // The same key may be another realm's, or another service's.
      for (const other of [undefined, "others", `https://router.test/connect/${new Realm().name}`])
        expect(
          await refusalOf(realm, "+jwk/ann", await signed(claimsOf("ann", { aud: other }), pair, { alg }, how)),
        ).toBe("The token's \"aud\" must be the realm's address");
      expect(await refusalOf(realm, "+pem/ann", await signed(claimsOf("ann"), pair, { alg }, how))).toMatch(
        /"aud" must be/,
      );
      for (const secret of [pem, pem.trim(), JSON.stringify(jwk), ""])
        for (const header of [{ alg: "HS256" }, { alg }, { alg: "none" }])
          expect(await refusalOf(realm, "+pem/ann", tokenOf(claims, secret, header))).toBe(wrongToken);
      const stranger = await pairOf(algorithm);
      const own = {
        alg,
        jwk: await crypto.subtle.exportKey("jwk", stranger.publicKey),
        kid: "pem",
        jku: "https://x.test",
      };
      expect(await refusalOf(realm, "+pem/ann", await signed(claims, stranger, own, how))).toBe(wrongToken);
    },
  );

  test("a secret of an owner's is taken, and neither KV nor the object stores it as it is", async () => {
    const realm = new Realm();
    const hmacKey = `${"my own secret ".repeat(3)}é`;
    expect(await addKey(realm, "own", { hmacKey, ...audience })).toBe("");
    using ann = await realm.link("+own/ann", tokenOf(claimsOf("ann", { aud: "messages" }), hmacKey));
    expect(await ann.outcome()).toBe("open");
    expect(await env.CREDENTIALS.get(`keys:${realm.name}`)).not.toContain("my own secret");
    const rows = await runInDurableObject(realm.stub, (_object, { storage }) =>
      storage.sql.exec("SELECT record FROM token_keys").toArray(),
    );
    expect(JSON.stringify(rows)).not.toContain("my own secret");
  });

  test("keys that are too weak, private, or of another kind are refused", async () => {
    const realm = new Realm();
    const weak = await pairOf({ ...algorithms[2][1], modulusLength: 1_024 });
    const { privateKey } = await pairOf(algorithms[1][1]);
    for (const terms of [
      { hmacKey: "x".repeat(31) },
      { hmacKey: "x".repeat(routerLimits.maxGivenKeyBytes + 1) },
      { publicKey: await pemOf(weak) },
      { publicKey: await crypto.subtle.exportKey("jwk", privateKey) },
      { publicKey: { kty: "oct", k: "A".repeat(43) } },
      { publicKey: "rubbish" },
      { publicKey: 7 },
      { jwksUrl: "http://login.test/jwks.json" },
      { jwksUrl: "https://ann:secret@login.test/jwks.json" },
      { jwksUrl: "rubbish" },
      { jwksUrl: "https://login.test/", hmacKey: "x".repeat(32) },
      { audiences: "messages" },
      { maxLifeS: 0 },
      { maxLifeS: routerLimits.maxTokenLifeS + 1 },
      { id: "Shop" },
      { id: "a/b" },
      { id: "x".repeat(33) },
    ]) {
      const body = JSON.stringify({ id: "shop", ...terms });
      await expectProblem(await admin(`/realms/${realm.name}/keys`, { method: "POST", body }), 400, "bad-request");
    }
    for (let count = 0; count < routerLimits.maxTokenKeys; count++) await addKey(realm, `key-${count}`);
    for (const id of ["key-0", "one-more"]) {
      const body = JSON.stringify({ id });
      await expectProblem(await admin(`/realms/${realm.name}/keys`, { method: "POST", body }), 409, "key-taken");
    }
  });

  test("a set of keys at a URL is asked for once, also for tokens of strangers, and its keys sign by their own algorithms", async () => {
    const realm = new Realm();
    const [pair, stranger] = [await pairOf(algorithms[0][1]), await pairOf(algorithms[0][1])];
    const jwk = { ...((await crypto.subtle.exportKey("jwk", pair.publicKey)) as object), kid: "one" };
    const fetched = vi
      .spyOn(globalThis, "fetch")
      .mockImplementation(() => Promise.resolve(Response.json({ keys: [jwk] })));
    onTestFinished(() => fetched.mockRestore());
    await addKey(realm, "staff", { jwksUrl: "https://login.test/jwks.json", ...audience });
    const [claims, how] = [claimsOf("ann", { aud: "messages" }), algorithms[0][2]];
    using ann = await realm.link("+staff/ann", await signed(claims, pair, { alg: "ES256", kid: "one" }, how));
    expect(await ann.outcome()).toBe("open");
    const forged = await signed(claims, stranger, { alg: "ES256", kid: "one", jku: "https://x.test" }, how);
    expect(await refusalOf(realm, "+staff/ann", forged)).toBe(wrongToken);
    expect(
      await refusalOf(realm, "+staff/ann", tokenOf(claims, JSON.stringify(jwk), { alg: "HS256", kid: "one" })),
    ).toBe(wrongToken);
    for (let count = 0; count < 5; count++) {
      const unknown = await signed(claims, stranger, { alg: "ES256", kid: `x${count}` }, how);
      const response = await upgrade(`/connect/${realm.name}`, { authorization: basic("+staff/ann", unknown) });
      // Perhaps the set has rotated: the client may come again.
      await expectProblem(response, 503, "restarting");
    }
    expect(fetched).toHaveBeenCalledTimes(1);
  });
});

describe("what tokens cost", () => {
  const nothing = (): never => {
    throw new Error("Asked for what a stranger may not cost");
  };

  /** Bindings of which KV counts its reads, and the object must not be asked. */
  function strangersBindings(): { reads: string[]; bindings: Env } {
    const reads: string[] = [];
    const get = (key: string): Promise<null> => {
      reads.push(key);
      return Promise.resolve(null);
    };
    const bindings = {
      MP_ADMIN_TOKEN: env.MP_ADMIN_TOKEN,
      MP_PEPPER: pepper,
      CREDENTIALS: { get, put: nothing } as unknown as KVNamespace,
      ROUTER: { getByName: nothing } as unknown as typeof env.ROUTER,
    };
    return { reads, bindings };
  }

  function requestWith(realm: string, authorization: string): Request {
    const headers = { upgrade: "websocket", "sec-websocket-protocol": subprotocols.native, authorization };
    return new Request(`https://router.test/connect/${realm}`, { headers });
  }

  test("forged tokens ask no object and write nothing, and all those of a realm cost one read of KV in a while", async () => {
    const { reads, bindings } = strangersBindings();
    const realm = new Realm();
    for (let count = 0; count < 10; count++) {
      const token = tokenOf(claimsOf(`ann${count}`), "x".repeat(32));
      const request = requestWith(realm.name, basic(`+shop${count}/ann${count}`, token));
      expect(await expectProblem(await worker.fetch(request, bindings), 401, "unauthorized")).toBe(wrongToken);
    }
    expect(reads).toEqual([`keys:${realm.name}`]);
  });

  test("a token that is too long, or no token, costs nothing at all", async () => {
    const { reads, bindings } = strangersBindings();
    const token = tokenOf(claimsOf("ann"), "x".repeat(32), { alg: "HS256", kid: "shop" });
    const long = `${token}${"A".repeat(routerLimits.maxTokenLength)}`;
    const parse = vi.spyOn(JSON, "parse");
    const decode = vi.spyOn(globalThis, "atob");
    onTestFinished(() => {
      parse.mockRestore();
      decode.mockRestore();
    });
    for (const authorization of [
      basic("+shop/ann", long),
      `Bearer ${long}`,
      `Bearer ${"A".repeat(100_000)}`,
      basic("+shop/ann", "A".repeat(100_000)),
      basic("+shop/ann", "mp_secret"),
      basic("+shop/ann", "mpi_invitation"),
      "Bearer x.y.z",
      "Bearer",
    ]) {
      parse.mockClear();
      decode.mockClear();
      const response = await worker.fetch(requestWith("home", authorization), bindings);
      if (authorization.length > 100) expect(parse).not.toHaveBeenCalled();
      if (authorization.length > routerLimits.maxAuthorizationLength) expect(decode).not.toHaveBeenCalled();
      await expectProblem(response, 401, "unauthorized");
    }
    expect(reads).toEqual([]);
  });

  test("a stranger who tries many realms is told to wait, before KV is read for each", async () => {
    const { reads, bindings } = strangersBindings();
    let left = 3;
    const limit = ({ key }: { key: string }): Promise<{ success: boolean }> =>
      Promise.resolve({ success: !key.startsWith("look-up") || left-- > 0 });
    const statuses: number[] = [];
    for (let count = 0; count < 5; count++) {
      const request = requestWith(new Realm().name, basic("+shop/ann", tokenOf(claimsOf("ann"), "x")));
      request.headers.set("cf-connecting-ip", "192.0.2.1");
      statuses.push((await worker.fetch(request, { ...bindings, FAILURES: { limit } })).status);
    }
    expect(statuses).toEqual([401, 401, 401, 429, 429]);
    expect(reads).toHaveLength(3);
  });

  test("the keys of a realm that has some are read again without being counted among the look-ups of strangers", async () => {
    const clock = stopTime();
    const { bindings } = strangersBindings();
    const realm = new Realm();
    await addKey(realm);
    const counted: string[] = [];
    const limit = ({ key }: { key: string }): Promise<{ success: boolean }> => {
      if (key.startsWith("look-up")) counted.push(key);
      return Promise.resolve({ success: true });
    };
    const { CREDENTIALS } = env;
    for (let count = 0; count < 3; count++) {
      const request = requestWith(realm.name, basic("+shop/ann", tokenOf(claimsOf("ann"), "x")));
      request.headers.set("cf-connecting-ip", "192.0.2.1");
      await expectProblem(
        await worker.fetch(request, { ...bindings, CREDENTIALS, FAILURES: { limit } }),
        401,
        "unauthorized",
      );
      clock.now += routerLimits.keysFreshMs;
    }
    expect(counted).toEqual(["look-up 192.0.2.1"]);
  });

  test("a holder with the longest name and rights fits its attachment, with the most pairs", async () => {
    const realm = new Realm();
    const id = "k".repeat(routerLimits.maxKeyIdLength);
    const key = await addKey(realm, id);
    const sub = `${"n".repeat(91)}亀`;
    const rightsBytes = (serve: string[]): number => new TextEncoder().encode(JSON.stringify({ serve })).length;
    const pattern = `${"p".repeat(routerLimits.maxTokenRightsBytes - rightsBytes(["亀"]))}亀`;
    using ann = await realm.link(`+${id}/${sub}`, tokenOf(claimsOf(sub, { mp: { serve: [pattern] } }), key));
    await runInDurableObject(realm.stub, (_object, state) => {
      const [socket] = state.getWebSockets("holder");
      const link = socket && SocketLink.restore(state, new Counters(0), socket);
      if (link === undefined) throw new Error("No link");
      link.formatMemory = crypto.getRandomValues(new Uint8Array(2_048));
      let address = 1_000_000;
      while (link.pairs.add(address)) address++;
      link.pairs.overflow();
      expect(link.token?.rights).toEqual({ serve: [pattern] });
    });
    expect(await ann.outcome()).toBe("open");
  });
});

describe("a page with a token", () => {
  async function ticketOf(realm: Realm, authorization: string): Promise<Response> {
    const headers = { authorization, origin: "https://app.test" };
    return await exports.default.fetch(`https://router.test/ticket/${realm.name}`, { method: "POST", headers });
  }

  test("a page gets a ticket for a token, as a secret or as a Bearer token, and its link ends with the token", async () => {
    const clock = stopTime();
    const realm = new Realm();
    const key = await addKey(realm);
    const iat = Math.floor(clock.now / 1_000);
    const mp = { open: [{ peer: "bob", protocol: "chat" }] };
    const token = tokenOf({ sub: "ann", iat, exp: iat + 60, mp }, key, { alg: "HS256", kid: "shop" });
    for (const authorization of [basic("+shop/ann", token), `Bearer ${token}`]) {
      const response = await ticketOf(realm, authorization);
      expect([response.status, response.headers.get("access-control-allow-origin")]).toEqual([200, "https://app.test"]);
      const { ticket } = await response.json<{ ticket: string }>();
      const upgraded = await upgrade(`/connect/${realm.name}`, {
        "sec-websocket-protocol": `${subprotocols.native}, ${ticket}`,
      });
      using ann = new RawLink(await socketOf(upgraded), "+shop/ann", segmentReading);
      ann.socket.accept();
      await ann.welcomed();
      expect(await answerTo(ann, "bob", "files")).toBe(errorCodes.notAllowed);
      expect(await answerTo(ann, "bob", "chat")).toBe(errorCodes.peerAbsent);
    }
    const left = await (await ticketOf(realm, `Bearer ${token}`)).json<{ ticket: string }>();
    await revoke(realm, { name: "+shop/ann" });
    const late = await upgrade(`/connect/${realm.name}`, {
      "sec-websocket-protocol": `${subprotocols.native}, ${left.ticket}`,
    });
    await expectProblem(late, 401, "unauthorized");
    await expectProblem(await ticketOf(realm, `Bearer ${token}`), 401, "unauthorized");
  });

  test("a program that sends a token that names its key as a Bearer token is let in", async () => {
    const realm = new Realm();
    const key = await addKey(realm);
    const headerless = tokenOf(claimsOf("ann"), key);
    const token = tokenOf(claimsOf("ann"), key, { alg: "HS256", kid: "shop" });
    const response = await upgrade(`/connect/${realm.name}`, { authorization: `Bearer ${token}` });
    expect(response.status).toBe(101);
    response.webSocket?.accept();
    response.webSocket?.close(1000);
    for (const other of [headerless, tokenOf(claimsOf("ann"), key, { alg: "HS256", kid: "forum" })])
      await expectProblem(
        await upgrade(`/connect/${realm.name}`, { authorization: `Bearer ${other}` }),
        401,
        "unauthorized",
      );
  });
});
