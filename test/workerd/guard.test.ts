import { env, exports } from "cloudflare:workers";
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import { invitationBytes, invitationText, subprotocols } from "@messagepasser/protocol";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { Env } from "../../src/env.ts";
import { mintSecret } from "../../src/credentials/secret.ts";
import worker from "../../src/worker.ts";
import { admin, expectProblem, Realm } from "./realm.ts";
import { basic, guessedTicket, newSession } from "../support/credentials.ts";

function bindings(more: Partial<Env> = {}): Env {
  const { ROUTER, CREDENTIALS, MP_ADMIN_TOKEN, MP_PEPPER } = env;
  return { ROUTER, CREDENTIALS, MP_ADMIN_TOKEN, MP_PEPPER, ...more };
}

/** Lets each key fail a few times, as the runtime's own limiter does, without a clock. */
class FewFailures {
  readonly counts = new Map<string, number>();
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  limit({ key }: RateLimitOptions): Promise<RateLimitOutcome> {
    const count = (this.counts.get(key) ?? 0) + 1;
    this.counts.set(key, count);
    return Promise.resolve({ success: count <= this.#most });
  }
}

interface Try {
  readonly realm: Realm;
  readonly name?: string;
  readonly secret?: string;
  readonly address?: string;
  readonly headers?: Record<string, string>;
}

function requestOf({ realm, name = "alice", secret = "mp_guess", address, headers }: Try): Request {
  return new Request(`https://router.test/connect/${realm.name}`, {
    headers: {
      upgrade: "websocket",
      "sec-websocket-protocol": subprotocols.native,
      authorization: basic(name, secret),
      ...(address !== undefined && { "cf-connecting-ip": address }),
      ...headers,
    },
  });
}

/** A page's request for a ticket. */
function ticketRequest(realm: Realm, secret: string, origin: string): Request {
  const headers = { authorization: basic("alice", secret), origin };
  return new Request(`https://router.test/ticket/${realm.name}`, { method: "POST", headers });
}

async function answerOf(bindings: Env, attempt: Try): Promise<Response> {
  return worker.fetch(requestOf(attempt), bindings);
}

/** The status of an answer; a refusal has to be a whole one. */
async function statusIn(response: Response): Promise<number> {
  const { status } = response;
  if (status === 401) await expectProblem(response, 401, "unauthorized");
  else if (status === 429) {
    expect(response.headers.get("retry-after")).toBe("60");
    await expectProblem(response, 429, "too-many-failures");
  } else {
    expect(status).toBe(101);
    response.webSocket?.accept();
    response.webSocket?.close(1000);
  }
  return status;
}

async function statusesOf(bindings: Env, attempts: readonly Try[]): Promise<number[]> {
  const statuses: number[] = [];
  for (const attempt of attempts) statuses.push(await statusIn(await answerOf(bindings, attempt)));
  return statuses;
}

describe("failed authentication", () => {
  test("failed attempts under one name are limited, wherever they come from, and don't hold up other names", async () => {
    const [realm, other] = [new Realm(), new Realm()];
    const { secret } = await realm.add("alice");
    const router = bindings({ FAILURES: new FewFailures(3) });
    const guesses = Array.from({ length: 5 }, (_, at) => ({ realm, address: `192.0.2.${at}` }));
    expect(await statusesOf(router, guesses)).toEqual([401, 401, 401, 429, 429]);
    // A client with the secret comes in as before, from anywhere.
    expect(
      await statusesOf(router, [
        { realm, secret, address: "192.0.2.0" },
        { realm, secret, address: "198.51.100.1" },
        { realm, secret },
        { realm, address: "198.51.100.1" },
        { realm, name: "bob", address: "198.51.100.2" },
        { realm: other, address: "198.51.100.3" },
      ]),
    ).toEqual([101, 101, 101, 429, 401, 401]);
  });

  test("failed attempts from one address are limited, whatever the names, and don't hold up other addresses", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    const router = bindings({ FAILURES: new FewFailures(3) });
    const address = "2001:db8::1";
    const guesses = Array.from({ length: 5 }, (_, at) => ({ realm, name: `name ${at}`, address }));
    expect(await statusesOf(router, guesses)).toEqual([401, 401, 401, 429, 429]);
    expect(
      await statusesOf(router, [
        { realm, secret, address },
        { realm, name: "name 9", address: "2001:db8:1::1" },
      ]),
    ).toEqual([101, 401]);
  });

  test("failed attempts with an admin token are limited by address, and the right token goes on", async () => {
    const limited = bindings({ FAILURES: new FewFailures(3) });
    const ask = async (token: string, address: string): Promise<Response> => {
      const headers = { authorization: `Bearer ${token}`, "cf-connecting-ip": address };
      return await worker.fetch(new Request("https://router.test/admin/v1/realms/home/clients", { headers }), limited);
    };
    for (let attempt = 1; attempt <= 3; attempt++) expect((await ask("guess", "192.0.2.1")).status).toBe(401);
    await expectProblem(await ask("guess", "192.0.2.1"), 429, "too-many-failures");
    expect((await ask("guess", "192.0.2.2")).status).toBe(401);
    expect((await ask(env.MP_ADMIN_TOKEN ?? "", "192.0.2.1")).status).toBe(200);
  });

  test("an attempt counts as failed only where it had a secret", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    const failures = new FewFailures(0);
    const router = bindings({ FAILURES: failures });
    const noTries: Record<string, string>[] = [
      { authorization: "" },
      { authorization: basic("a\u0000", "x") },
      { "sec-websocket-protocol": "chat" },
      { upgrade: "h2c" },
    ];
    for (const headers of noTries) expect((await answerOf(router, { realm, headers })).status).not.toBe(429);
    expect(await statusesOf(router, [{ realm, secret }])).toEqual([101]);
    expect(failures.counts.size).toBe(0);
    expect(await statusesOf(router, [{ realm }])).toEqual([429]);
  });

  test("attempts with rotated, revoked or disabled secrets count as failed, though only the object knows", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    const { secret: bobs } = await realm.add("bob");
    await realm.rotate("alice");
    await admin(`${realm.clientPath("bob")}/disable`, { method: "POST" });
    const nothing = { get: () => Promise.resolve(null) } as unknown as KVNamespace;
    const router = bindings({ FAILURES: new FewFailures(2), CREDENTIALS: nothing });
    const both = [
      { realm, secret },
      { realm, name: "bob", secret: bobs },
    ];
    expect(await statusesOf(router, [...both, ...both, ...both])).toEqual([401, 401, 401, 401, 429, 429]);
  });

  test("attempts by guests count as failed, and a valid invitation comes in all the same", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    const own = Buffer.from(secret.slice(3), "base64url");
    const bytes = invitationBytes({
      host: "alice",
      secretId: own.toString("hex", 1, 9),
      revision: 1,
      guest: "eve",
      peer: "*",
      protocol: "*",
      expiresAtMs: Date.now() + 60_000,
      uses: 1,
      nonce: newSession().slice(0, 16),
      serves: [],
    });
    const invited = (key: Uint8Array): string =>
      invitationText(bytes, createHmac("sha256", key).update(bytes).digest().subarray(0, 16));
    const router = bindings({ FAILURES: new FewFailures(1) });
    const guest = { realm, name: "alice/eve" };
    const [bad, good] = [invited(new Uint8Array(16)), invited(own.subarray(45, 61))];
    expect(
      await statusesOf(router, [
        { ...guest, secret: bad },
        { ...guest, secret: bad },
        { ...guest, secret: good },
        { realm, secret },
        { realm },
      ]),
    ).toEqual([401, 429, 101, 101, 401]);
  });

  test("a page whose attempts are limited is told when to come again, with its ticket or without", async () => {
    const realm = new Realm();
    const router = bindings({ FAILURES: new FewFailures(0), MP_ORIGINS: "https://app.example.com" });
    const origin = "https://app.example.com";
    const forTicket = await worker.fetch(ticketRequest(realm, "mp_guess", origin), router);
    expect(forTicket.headers.get("access-control-allow-origin")).toBe(origin);
    expect(forTicket.headers.get("access-control-expose-headers")).toBe("retry-after");
    expect(await statusIn(forTicket)).toBe(429);
    const headers = { authorization: "", "sec-websocket-protocol": `mp.v1, ${guessedTicket}`, origin };
    const address = "192.0.2.1";
    expect(await statusIn(await answerOf(router, { realm, headers, address }))).toBe(429);
  });

  test("failed attempts are refused as before where nothing counts them, or the counter fails", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    const failing = { limit: () => Promise.reject(new Error("The limiter is down")) };
    for (const router of [bindings(), bindings({ FAILURES: failing })])
      expect(await statusesOf(router, [{ realm }, { realm }, { realm, secret }])).toEqual([401, 401, 101]);
  });

  test("failed attempts are counted by the binding of wrangler.toml, which lets some dozens a minute through", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    const forged = mintSecret("another pepper", realm.name, "alice", 1).text;
    const fail = async (attempt: Partial<Try>): Promise<number> =>
      statusIn(await exports.default.fetch(requestOf({ realm, secret: forged, ...attempt })));
    let failures = 0;
    // A minute may end in between, and then the count begins anew.
    for (let status = 0; status !== 429 && failures <= 60; failures++) {
      status = await fail({ address: `10.0.${failures}.1` });
      expect(status === 429 ? failures : 30).toBeGreaterThanOrEqual(30);
    }
    expect(failures).toBeLessThanOrEqual(61);
    expect(await fail({ secret })).toBe(101);
    expect(await fail({ name: "bob" })).toBe(401);
  });
});

describe("origins of pages", () => {
  const MP_ORIGINS = " https://app.example.com\n\thttps://two.example.com:8443 ";

  function statusFrom(origin: string | undefined, origins: string | undefined, attempt: Try): Promise<Response> {
    const headers = origin === undefined ? {} : { origin };
    return answerOf(bindings(origins === undefined ? {} : { MP_ORIGINS: origins }), { ...attempt, headers });
  }

  test.each([
    ["https://app.example.com", MP_ORIGINS],
    ["https://two.example.com:8443", MP_ORIGINS],
    [undefined, MP_ORIGINS],
    ["https://anywhere.example", undefined],
    ["https://anywhere.example", ""],
    ["null", " "],
    ["https://app.example.com", "https://app.example.com/"],
    ["https://app.example.com", "HTTPS://App.Example.com"],
    ["https://app.example.com", "https://app.example.com:443"],
    ["https://app.example.com", "https://one.example, https://app.example.com"],
    ["https://anywhere.example", "https://app.example.com *"],
    ["https://app.example.com", "app.example.com https://app.example.com"],
    ["chrome-extension://abcdefghijklmnop", "chrome-extension://abcdefghijklmnop"],
  ])("a page of the origin %s may connect where the allow-list is %o", async (origin, origins) => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    expect(await statusIn(await statusFrom(origin, origins, { realm, secret }))).toBe(101);
  });

  test.each([
    "https://*.example.com",
    "moz-extension://*",
    "chrome-extension://*",
    "https://a.example;https://b.example",
    "https://a.example/path",
    "https://a.example/?query",
    "https://a.example#part",
    "https://user@a.example",
    "https://user:password@a.example",
    "https://a.example\\b",
    "app.example.com",
    "a.example:443",
    "mailto:a@example.com",
    "file:///home",
    "file://server",
    "wss://app.example.com",
    "ftp://app.example.com",
    "https://",
    "chrome-extension://abc/page.html",
  ])("the entry %s of an allow-list, which matches no page, is logged when a page is refused", async (entry) => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    onTestFinished(() => warn.mockRestore());
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    const origins = `https://one.example ${entry}`;
    await expectProblem(await statusFrom("https://two.example", origins, { realm, secret }), 403, "origin-not-allowed");
    expect(warn.mock.calls).toEqual([[expect.stringMatching(/^MP_ORIGINS has entries .*: /)]]);
    expect(String(warn.mock.calls[0]?.[0]).endsWith(`: ${entry}`)).toBe(true);
  });

  test.each([
    "https://evil.example",
    "http://app.example.com",
    "https://app.example.com:444",
    "null",
    "https://app.example.com.evil.example",
  ])("a page of the origin %s may not connect where others are listed, and its secret isn't read", async (origin) => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    const failures = new FewFailures(0);
    const nothing = (): never => {
      throw new Error("Looked at a secret");
    };
    const router = bindings({
      MP_ORIGINS,
      FAILURES: failures,
      // The Worker asks the two for nothing else.
      CREDENTIALS: { get: nothing } as unknown as KVNamespace,
      ROUTER: { getByName: nothing } as unknown as Env["ROUTER"],
    });
    const toProgram = await answerOf(router, { realm, secret, headers: { origin } });
    await expectProblem(toProgram, 403, "origin-not-allowed");
    const toPage = await worker.fetch(ticketRequest(realm, secret, origin), router);
    expect(toPage.headers.get("access-control-allow-origin")).toBeNull();
    await expectProblem(toPage, 403, "origin-not-allowed");
    const ticket = { authorization: "", origin, "sec-websocket-protocol": `mp.v1, ${guessedTicket}` };
    await expectProblem(await answerOf(router, { realm, headers: ticket }), 403, "origin-not-allowed");
    expect(failures.counts.size).toBe(0);
  });
});
