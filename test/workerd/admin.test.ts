import { exports } from "cloudflare:workers";
import { limits, newNameProblem, subprotocols } from "@messagepasser/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ClientInfo } from "@messagepasser/protocol/admin";
import { admin, adminHeaders, adminToken, expectProblem, Realm } from "./realm.ts";
import { basic, newSession } from "../support/credentials.ts";
import { upgradeRequest } from "../../src/realm/admission.ts";
import { upgrade } from "./upgrade.ts";

interface Page {
  readonly clients: ClientInfo[];
  readonly cursor?: string;
}

async function pageOf(realm: Realm, query = ""): Promise<Page> {
  const response = await admin(`/realms/${realm.name}/clients${query}`);
  expect(response.status).toBe(200);
  return response.json();
}

function post(realm: Realm, body: BodyInit): Promise<Response> {
  return admin(`/realms/${realm.name}/clients`, { method: "POST", body });
}

async function statusWith(realm: Realm, name: string, secret: string): Promise<number> {
  const response = await upgrade(`/connect/${realm.name}`, { authorization: basic(name, secret) });
  response.webSocket?.accept();
  response.webSocket?.close(1000);
  return response.status;
}

describe("the admin API", () => {
  test("the admin API adds a client and shows its secret only this once", async () => {
    const realm = new Realm();
    const before = Date.now();
    const added = await realm.add("alice");
    expect(added).toEqual({
      name: "alice",
      secretId: expect.stringMatching(/^[0-9a-f]{16}$/),
      revision: 1,
      expiresAt: null,
      previous: null,
      lastUsedAt: null,
      isDisabled: false,
      changedAt: expect.any(String),
      secret: expect.stringMatching(/^mp_[\w-]{108}$/),
    });
    expect(Date.parse(added.changedAt)).toBeGreaterThanOrEqual(before);
    expect(new Date(added.changedAt).toISOString()).toBe(added.changedAt);
    const { secret, ...info } = added;
    expect(await pageOf(realm)).toEqual({ clients: [info] });
    expect(await statusWith(realm, "alice", secret)).toBe(101);
  });

  test("the admin API doesn't add a name twice, and keeps the first one's secret", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    expect(await expectProblem(await post(realm, '{"name":"alice"}'), 409, "name-taken")).toContain('"alice"');
    expect(await statusWith(realm, "alice", secret)).toBe(101);
  });

  test("the admin API makes one client of two simultaneous requests", async () => {
    const realm = new Realm();
    const answers = await Promise.all([post(realm, '{"name":"alice"}'), post(realm, '{"name":"alice"}')]);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201, 409]));
  });

  test("the admin API keeps realms apart", async () => {
    const [home, work] = [new Realm(), new Realm()];
    await home.add("alice");
    expect(await pageOf(work)).toEqual({ clients: [] });
    await work.add("alice");
    await work.revoke("alice");
    expect((await pageOf(home)).clients).toHaveLength(1);
  });

  test("a rotation makes the new secret valid and the old one invalid", async () => {
    const realm = new Realm();
    const first = await realm.add("alice");
    const second = await realm.rotate("alice");
    expect(second).toMatchObject({ name: "alice", revision: 2 });
    expect(second.secretId).not.toBe(first.secretId);
    expect(await statusWith(realm, "alice", first.secret)).toBe(401);
    expect(await statusWith(realm, "alice", second.secret)).toBe(101);
    expect((await pageOf(realm)).clients).toMatchObject([{ secretId: second.secretId, revision: 2 }]);
  });

  test("a client is revoked once, and then the admin API finds no such client", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    const answer = await admin(realm.clientPath("alice"), { method: "DELETE" });
    expect([answer.status, await answer.text()]).toEqual([204, ""]);
    expect(await statusWith(realm, "alice", secret)).toBe(401);
    expect(await pageOf(realm)).toEqual({ clients: [] });
    await expectProblem(await admin(realm.clientPath("alice"), { method: "DELETE" }), 404, "no-such-client");
    await expectProblem(await admin(`${realm.clientPath("alice")}/rotate`, { method: "POST" }), 404, "no-such-client");
  });

  test("a name never gets a revision twice, over rotations, revocations and clients added again", async () => {
    const realm = new Realm();
    const revisions = [(await realm.add("alice")).revision];
    for (let round = 0; round < 3; round++) {
      revisions.push((await realm.rotate("alice")).revision);
      await realm.revoke("alice");
      revisions.push((await realm.add("alice")).revision);
    }
    expect(revisions).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  test("the admin API answers a name that no client has with a problem that says so", async () => {
    const realm = new Realm();
    for (const name of ["nobody", "$list", "a:b", "x".repeat(500), "%", "\u0000"]) {
      await expectProblem(await admin(realm.clientPath(name), { method: "DELETE" }), 404, "no-such-client");
      await expectProblem(await admin(`${realm.clientPath(name)}/rotate`, { method: "POST" }), 404, "no-such-client");
    }
  });
});

describe("the list of clients", () => {
  test("the list of clients comes in pages in order, with a cursor as long as there is more", async () => {
    const realm = new Realm();
    const names = ["zoe", "Bob", "alice", "ålice", "bob", "dave/eve", "100%"];
    for (const name of names) await realm.add(name);
    await realm.add("gone");
    await realm.revoke("gone");
    const whole = (await pageOf(realm)).clients.map(({ name }) => name);
    expect(whole).toEqual(names.toSorted());
    for (const limit of [1, 2, 3, 6, 7]) {
      const seen: string[] = [];
      let cursor: string | undefined = "";
      while (cursor !== undefined) {
        const page: Page = await pageOf(realm, `?limit=${limit}&cursor=${encodeURIComponent(cursor)}`);
        expect(page.clients.length).toBeLessThanOrEqual(limit);
        expect(page.clients.length).toBeGreaterThan(0);
        seen.push(...page.clients.map(({ name }) => name));
        cursor = page.cursor;
      }
      expect(seen).toEqual(whole);
    }
  });

  test("the list of clients shows nothing secret", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    const text = await (await admin(`/realms/${realm.name}/clients`)).text();
    expect(Object.keys((JSON.parse(text) as Page).clients[0] ?? {}).sort()).toEqual([
      "changedAt",
      "expiresAt",
      "isDisabled",
      "lastUsedAt",
      "name",
      "previous",
      "revision",
      "secretId",
    ]);
    expect(text).not.toContain(secret.slice(20));
  });

  test("the list of clients goes on behind a cursor whose client was revoked meanwhile", async () => {
    const realm = new Realm();
    for (const name of ["a", "b", "c"]) await realm.add(name);
    const { cursor } = await pageOf(realm, "?limit=2");
    expect(cursor).toBe("b");
    await realm.revoke("b");
    expect((await pageOf(realm, "?limit=2&cursor=b")).clients.map(({ name }) => name)).toEqual(["c"]);
  });

  test("the list of clients has a hundred to a page unless told otherwise, a thousand at most", async () => {
    const realm = new Realm();
    await Promise.all(Array.from({ length: 101 }, (_, number) => realm.add(`client ${number}`)));
    const page = await pageOf(realm);
    expect(page.clients).toHaveLength(100);
    expect(page.cursor).toBe(page.clients.at(-1)?.name);
    expect((await pageOf(realm, "?limit=1000")).clients).toHaveLength(101);
  });

  test.for(["0", "-1", "1001", "1.5", "x", "", "NaN", "Infinity"])(
    'the list of clients with the limit "%s" is refused',
    async (limit) => {
      const response = await admin(`/realms/${new Realm().name}/clients?limit=${limit}`);
      expect(await expectProblem(response, 400, "bad-request")).toContain("1 to 1000");
    },
  );
});

describe("without the admin token", () => {
  const path = `/realms/${new Realm().name}/clients`;
  const routes: [string, string][] = [
    ["GET", path],
    ["POST", path],
    ["POST", `${path}/alice/rotate`],
    ["DELETE", `${path}/alice`],
    ["GET", "/"],
    ["GET", "/no/such/route"],
    ["GET", "/realms/Not_A_Realm/clients"],
  ];
  const wrong = [
    "",
    "Bearer",
    "Bearer ",
    "Bearer x",
    `Bearer ${adminToken}x`,
    `Bearer ${adminToken.slice(0, -1)}`,
    `Basic ${adminToken}`,
    adminToken,
  ];

  test.for(routes)("%s %s without the admin token is refused, always with the same answer", async ([method, route]) => {
    const details = new Set<string>();
    for (const headers of [{}, ...wrong.map((authorization) => ({ authorization }))]) {
      const response = await admin(route, { method, headers, ...(method === "POST" && { body: '{"name":"alice"}' }) });
      expect(response.headers.get("www-authenticate")).toBe("Bearer");
      details.add(await expectProblem(response, 401, "unauthorized"));
    }
    expect(details.size).toBe(1);
  });

  test("a client's own secret opens nothing of the admin API", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    for (const authorization of [`Bearer ${secret}`, basic("alice", secret)]) {
      await expectProblem(
        await admin(`/realms/${realm.name}/clients`, { headers: { authorization } }),
        401,
        "unauthorized",
      );
    }
  });
});

describe("an invalid request to the admin API", () => {
  const bodies: [string, BodyInit, RegExp][] = [
    ["nothing", "", /an object with a "name"/],
    ["no JSON", "{", /not JSON/],
    ["a text", '"alice"', /not a JSON object/],
    ["null", "null", /not a JSON object/],
    ["a list", '["alice"]', /not a JSON object/],
    ["a password of one's own", '{"name":"alice","secret":"swordfish"}', /made by the router.*password of your own/],
    ["no name", "{}", /an object with a "name"/],
    ["a name that is a number", '{"name":1}', /an object with a "name"/],
    ["a name that is null", '{"name":null}', /an object with a "name"/],
    ["an unknown field", '{"name":"alice","role":"x"}', /Unknown field "role"/],
    ["a field __proto__", '{"name":"alice","__proto__":{}}', /Unknown field "__proto__"/],
    ["a form", "name=alice", /not JSON/],
    [
      "bytes that aren't UTF-8",
      Uint8Array.of(...new TextEncoder().encode('{"name":"'), 0xff, 0x22, 0x7d),
      /UTF-8|not JSON/,
    ],
    ["no name at all", '{"name":""}', /client's name must not be empty/],
    ["a name with a colon", '{"name":"a:b"}', /client's name must not contain ":"/],
    ["a name of the router's own", '{"name":"$list"}', /client's name must not begin with "\$"/],
    ["a name with a line feed", '{"name":"a\\nb"}', /client's name .*control characters/],
    ["a name with a space behind it", '{"name":"bob "}', /client's name .*white space/],
    ["a name of zero width in part", '{"name":"bob\u200b"}', /client's name .*can't be seen/],
    ["a name written from right to left", '{"name":"\u202ebob"}', /client's name .*can't be seen/],
    ["a name in another normalization form", '{"name":"bo\u0301b"}', /client's name .*form C/],
    ["a name with half a surrogate", '{"name":"\\ud800"}', /client's name .*well-formed/],
    [
      "a name of too many bytes",
      JSON.stringify({ name: "é".repeat(limits.maxNameBytes / 2 + 1) }),
      /at most 128 bytes/,
    ],
    ["a name that no URL can hold", '{"name":"."}', /client's name/],
    ["another name that no URL can hold", '{"name":".."}', /client's name/],
  ];

  test.for(bodies)(
    "a request with %s for a body is told what is wrong, and adds no client",
    async ([, body, detail]) => {
      const realm = new Realm();
      expect(await expectProblem(await post(realm, body), 400, "bad-request")).toMatch(detail);
      expect(await pageOf(realm)).toEqual({ clients: [] });
    },
  );

  test("a request whose body is a byte too long is refused, announced or not, and one at the limit is read", async () => {
    const realm = new Realm();
    const atLimit = '{"name":"alice"}'.padEnd(4_096);
    for (const body of [`${atLimit} `, "x".repeat(1_000_000)]) {
      await expectProblem(await post(realm, body), 413, "too-large");
      // A stream has no content-length.
      await expectProblem(await post(realm, streamOf(body)), 413, "too-large");
    }
    expect(await pageOf(realm)).toEqual({ clients: [] });
    expect((await post(realm, streamOf(atLimit))).status).toBe(201);
  });

  test("a request's body may have a character whose bytes come in two chunks", async () => {
    const realm = new Realm();
    expect((await post(realm, streamOf('{"name":"żółw 🐢"}', 1))).status).toBe(201);
    expect((await pageOf(realm)).clients).toMatchObject([{ name: "żółw 🐢" }]);
  });

  const badRealms = [
    "UPPER",
    "-a",
    "a-",
    "a_b",
    "a".repeat(limits.maxRealmLength + 1),
    "%20",
    "a%2Fb",
    "%",
    "%ff",
    "é",
    "a.",
  ];
  test.for(badRealms)("the realm %s is refused on every admin route", async (realm) => {
    const path = `/realms/${realm}/clients`;
    const requests = [
      admin(path),
      admin(path, { method: "POST", body: '{"name":"alice"}' }),
      admin(`${path}/alice/rotate`, { method: "POST" }),
      admin(`${path}/alice`, { method: "DELETE" }),
    ];
    for (const response of await Promise.all(requests)) {
      expect(await expectProblem(response, 400, "bad-request")).toContain("realm's name");
    }
  });

  test.for([
    ["GET", "/"],
    ["GET", "/realms"],
    ["GET", "/realms/home"],
    ["PUT", "/realms/home/clients"],
    ["GET", "/realms/home/clients/alice/rotate"],
    ["POST", "/realms/home/clients/alice/revoke"],
    ["DELETE", "/realms/home/clients/a/b"],
  ])("the admin API finds nothing for %s %s", async ([method, path]) => {
    await expectProblem(await admin(path ?? "", { method: method ?? "" }), 404, "not-found");
  });
});

test("every valid name can be added, listed, rotated and revoked by its URL", async () => {
  const realm = new Realm();
  const tricky = [
    "a b",
    "a/b",
    "/",
    "a%2Fb",
    "100%",
    "%",
    "%25",
    "%zz",
    "a?b#c",
    "&=+",
    "...",
    "a\\b",
    "亀",
    "🐢",
    "é\u0301",
    "'\"`;--",
  ];
  for (const name of tricky) await roundTrip(name);
  const names = fc
    .string({ unit: "grapheme", minLength: 1, maxLength: 20 })
    .filter((name) => newNameProblem(name) === undefined);
  await fc.assert(fc.asyncProperty(names, roundTrip), { numRuns: 50 });

  async function roundTrip(name: string): Promise<void> {
    const added = await realm.add(name);
    expect((await pageOf(realm)).clients.map((client) => client.name)).toEqual([name]);
    expect(await realm.rotate(name)).toMatchObject({ name, revision: added.revision + 1 });
    await realm.revoke(name);
  }
});

describe("the other routes", () => {
  test("the router answers / and /health and /version", async () => {
    const get = (path: string): Promise<Response> => exports.default.fetch(`https://router.test${path}`);
    expect(await (await get("/")).text()).toContain("MessagePasser");
    expect(await (await get("/health")).json()).toEqual({ status: "ok" });
    expect(await (await get("/version")).json()).toEqual({
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      formats: ["mp.v1", "mp.v1.json", "mp.v1.msgpack", "mp.v1.protobuf", "mp.v0.json", "mp.v0.gob"],
    });
  });

  test.for(["/nothing", "/connect/a/b", "/admin", "/admin/v2/realms", "/%ff", "//", "/.env"])(
    "the router answers %s with 404",
    async (path) => {
      await expectProblem(
        await exports.default.fetch(`https://router.test${path}`, { headers: adminHeaders }),
        404,
        "not-found",
      );
    },
  );
});

function streamOf(text: string, chunkBytes = 1_000): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at < bytes.length) controller.enqueue(bytes.subarray(at, (at += chunkBytes)));
      else controller.close();
    },
  });
}

test("a realm exists once a client is linked that an authenticator of the deployer's own has admitted", async () => {
  const realm = new Realm();
  const usage = async (): Promise<unknown> => await (await admin(`/realms/${realm.name}/usage`)).json();
  expect(await usage()).toMatchObject({ upgrades: 0 });
  const admission = { realm: realm.name, name: "alice" };
  const format = subprotocols.native;
  const upgraded = upgradeRequest({ admission, session: newSession(), instance: "", resumes: true, format });
  const { webSocket } = await realm.stub.fetch(upgraded);
  webSocket?.accept();
  await expect.poll(usage).toMatchObject({ upgrades: 1 });
  const closed = new Promise((resolve) => webSocket?.addEventListener("close", resolve));
  expect((await admin(`/realms/${realm.name}/restart`, { method: "POST" })).status).toBe(204);
  await closed;
});

test("a realm that has only rules exists, and shows them", async () => {
  const realm = new Realm();
  const rules = `/realms/${realm.name}/rules`;
  expect((await admin(rules, { method: "PUT", body: "default closed" })).status).toBe(204);
  expect(await (await admin(rules)).text()).toBe("default closed");
  expect(await (await admin(`/realms/${realm.name}/usage`)).json()).toMatchObject({ adminCalls: 3 });
});

test("the admin API tells the router's time with each answer, also where no edge does", async () => {
  const { headers } = await admin(`/realms/${new Realm().name}/clients`);
  expect(Math.abs(Date.parse(headers.get("date") ?? "") - Date.now())).toBeLessThan(10_000);
});
