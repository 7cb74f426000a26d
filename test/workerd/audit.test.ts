import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { errorCodes } from "@messagepasser/protocol";
import { describe, expect, test } from "vitest";
import type { AuditEntry } from "@messagepasser/protocol/admin";
import { AuditLog } from "../../src/realm/audit-log.ts";
import type { Env } from "../../src/env.ts";
import worker from "../../src/worker.ts";
import { admin, adminToken, byTest, expectProblem, Realm } from "./realm.ts";

/** Between the entries of one shard there is room for those of all others. */
const idStep = 1_024;

const readToken = "test-read-token";

/** A request to the admin API of a router that also has a token which only reads. */
async function ask(
  method: string,
  path: string,
  { token = adminToken, address, body }: { token?: string; address?: string; body?: string } = {},
  more: Partial<Env> = { MP_ADMIN_READ_TOKEN: readToken },
): Promise<Response> {
  const { ROUTER, CREDENTIALS, MP_ADMIN_TOKEN, MP_PEPPER } = env;
  const headers = { authorization: `Bearer ${token}`, ...(address !== undefined && { "cf-connecting-ip": address }) };
  const request = new Request(`https://router.test/admin/v1${path}`, {
    method,
    headers,
    ...(body !== undefined && { body }),
  });
  return worker.fetch(request, { ROUTER, CREDENTIALS, MP_ADMIN_TOKEN, MP_PEPPER, ...more });
}

async function entriesOf(realm: Realm, query = "", token = adminToken): Promise<AuditEntry[]> {
  const response = await ask("GET", `/realms/${realm.name}/audit${query}`, { token });
  expect(response.status).toBe(200);
  return (await response.json<{ entries: AuditEntry[] }>()).entries;
}

/** Every request that changes something, on a realm without clients at first. */
function changesOf(realm: Realm): { method: string; path: string; body?: string; what: string; name: string }[] {
  const [clients, alice] = [`/realms/${realm.name}/clients`, realm.clientPath("alice")];
  return [
    { method: "POST", path: clients, body: '{"name":"alice"}', what: "add", name: "alice" },
    { method: "POST", path: `${alice}/rotate`, body: '{"overlapS":60}', what: "rotate", name: "alice" },
    { method: "POST", path: `${alice}/disable`, what: "disable", name: "alice" },
    { method: "POST", path: `${alice}/enable`, what: "enable", name: "alice" },
    { method: "PUT", path: `/realms/${realm.name}/rules`, body: "default closed", what: "rules", name: "" },
    { method: "DELETE", path: alice, what: "revoke", name: "alice" },
  ];
}

describe("the audit trail", () => {
  test("the audit trail has each change with its author, address, action, time and name, the newest first", async () => {
    const realm = new Realm();
    const changes = changesOf(realm);
    const before = Date.now();
    for (const [at, { method, path, body }] of changes.entries()) {
      const response = await ask(method, path, { address: `192.0.2.${at}`, ...(body !== undefined && { body }) });
      expect(response.status).toBeLessThan(300);
    }
    const expected = changes.map(({ what, name }, at) => ({
      id: (at + 1) * idStep,
      at: expect.any(String),
      who: `admin at 192.0.2.${at}`,
      what,
      name,
    }));
    await evictDurableObject(realm.stub, { webSockets: "close" });
    const entries = await entriesOf(realm);
    expect(entries).toEqual(expected.toReversed());
    for (const { at } of entries) {
      expect(new Date(at).toISOString()).toBe(at);
      expect(Date.parse(at)).toBeGreaterThanOrEqual(before);
      expect(Date.parse(at)).toBeLessThanOrEqual(Date.now());
    }
  });

  test("the audit trail says where an address is unknown, and each realm has its own", async () => {
    const [realm, other] = [new Realm(), new Realm()];
    await realm.add("ä b");
    expect(await entriesOf(realm)).toMatchObject([{ who: "admin at an unknown address", what: "add", name: "ä b" }]);
    expect(await entriesOf(other)).toEqual([]);
  });

  test("the audit trail has no entry for a request that changed nothing", async () => {
    const realm = new Realm();
    await realm.add("alice");
    const [clients, rules] = [`/realms/${realm.name}/clients`, `/realms/${realm.name}/rules`];
    const refused: [string, string, string?][] = [
      ["POST", clients, '{"name":"alice"}'],
      ["POST", clients, '{"name":"$alice"}'],
      ["POST", `${realm.clientPath("bob")}/rotate`],
      ["POST", `${realm.clientPath("alice")}/rotate`, '{"overlapS":-1}'],
      ["POST", `${realm.clientPath("bob")}/disable`],
      ["POST", `${realm.clientPath("bob")}/enable`],
      ["DELETE", realm.clientPath("bob")],
      ["PUT", rules, "no rule"],
    ];
    for (const [method, path, body] of refused)
      expect((await ask(method, path, body === undefined ? {} : { body })).status).toBeGreaterThanOrEqual(400);
    const reads = [clients, realm.clientPath("alice"), rules, `${rules}/test?opener=a&peer=b&protocol=c`];
    for (const path of reads) expect((await ask("GET", path)).status).toBe(200);
    await ask("POST", `${realm.clientPath("alice")}/rotate`, { token: "a guess" });
    expect(await entriesOf(realm)).toHaveLength(1);
  });

  test("the audit trail, the object's storage and the API's lists never have a secret in them", async () => {
    const realm = new Realm();
    const secrets = [
      (await realm.add("alice")).secret,
      (await realm.rotate("alice")).secret,
      (await realm.add("bob")).secret,
    ];
    await realm.revoke("bob");
    const stored = await runInDurableObject(realm.stub, (_object, { storage }) =>
      ["audit", "clients", "guests", "rules"].map((table) => storage.sql.exec(`SELECT * FROM ${table}`).toArray()),
    );
    const shown = await Promise.all(
      ["audit", "clients", "clients/alice"].map(async (path) => (await admin(`/realms/${realm.name}/${path}`)).text()),
    );
    for (const text of [JSON.stringify(stored), ...shown]) {
      for (const secret of secrets) {
        // Its random part begins after the 13 bytes that name it: 18 characters of base64url.
        expect(text).not.toContain(secret.slice(21, 43));
        expect(text).not.toContain("mp_");
      }
    }
  });

  test("the audit trail comes in pages", async () => {
    const realm = new Realm();
    for (let round = 0; round < 3; round++) {
      await realm.add("alice");
      await realm.revoke("alice");
    }
    const seen: number[] = [];
    let before = "";
    for (;;) {
      const page = await entriesOf(realm, `?limit=4${before}`);
      if (page.length === 0) break;
      expect(page.length).toBeLessThanOrEqual(4);
      seen.push(...page.map(({ id }) => id));
      before = `&before=${page.at(-1)?.id}`;
    }
    expect(seen).toEqual([6, 5, 4, 3, 2, 1].map((number) => number * idStep));
    expect(await entriesOf(realm, "?before=1")).toEqual([]);
    expect(await entriesOf(realm, "?before=9007199254740993&limit=1")).toMatchObject([{ id: 6 * idStep }]);
    for (const query of ["?limit=0", "?limit=1001", "?limit=x", "?limit=1.5", "?before=x", "?before=NaN"])
      await expectProblem(await admin(`/realms/${realm.name}/audit${query}`), 400, "bad-request");
  });

  test("the audit trail keeps the last 10,000 entries", async () => {
    const realm = new Realm();
    await realm.add("alice");
    await runInDurableObject(realm.stub, (_object, { storage }) => {
      const log = new AuditLog(storage.sql);
      for (let number = 0; number < 10_050; number++) log.add("test", "add", `client ${number}`);
      const [row] = storage.sql.exec("SELECT COUNT(*) AS count, MIN(id) AS first FROM audit").toArray();
      expect(row).toEqual({ count: 10_000, first: 52 });
    });
    await evictDurableObject(realm.stub);
    await realm.rotate("alice");
    const [newest] = await entriesOf(realm, "?limit=1");
    expect(newest).toMatchObject({ id: 10_052 * idStep, what: "rotate", name: "alice" });
    const oldest = await entriesOf(realm, `?before=${60 * idStep}`);
    expect(oldest.map(({ id }) => id)).toEqual([59, 58, 57, 56, 55, 54, 53].map((number) => number * idStep));
  });
});

describe("the read-only token", () => {
  test("the read-only token sees everything, and changes nothing", async () => {
    const realm = new Realm();
    await realm.add("alice");
    const paths = ["clients", "clients/alice", "rules", "rules/test?opener=a&peer=b&protocol=c", "audit"];
    const read = async (token: string): Promise<string[]> =>
      Promise.all(
        paths.map(async (path) => {
          const response = await ask("GET", `/realms/${realm.name}/${path}`, { token });
          expect(response.status).toBe(200);
          return response.text();
        }),
      );
    const before = await read(adminToken);
    for (const { method, path, body } of changesOf(realm)) {
      const refused = await ask(method, path, { token: readToken, ...(body !== undefined && { body }) });
      expect(await expectProblem(refused, 403, "read-only")).toContain("MP_ADMIN_TOKEN");
    }
    for (const method of ["PATCH", "PUT", "OPTIONS", "POST"])
      expect((await ask(method, `/realms/${realm.name}/clients`, { token: readToken })).status).toBe(403);
    expect(await read(readToken)).toEqual(before);
  });

  test("the read-only token differs from the read-write one, and neither opens what the other is set for", async () => {
    const realm = new Realm();
    const path = `/realms/${realm.name}/clients`;
    for (const token of ["", "undefined", `${readToken}x`, readToken.slice(1), `${adminToken} ${readToken}`])
      await expectProblem(await ask("GET", path, { token }), 401, "unauthorized");
    expect((await ask("POST", path, { body: '{"name":"alice"}' })).status).toBe(201);
    await expectProblem(await ask("POST", path, { token: readToken, body: '{"name":"bob"}' }), 403, "read-only");
  });

  test.each([undefined, ""])("a read-only token that is %o opens nothing", async (MP_ADMIN_READ_TOKEN) => {
    const realm = new Realm();
    const more = MP_ADMIN_READ_TOKEN === undefined ? {} : { MP_ADMIN_READ_TOKEN };
    for (const token of ["", "undefined", "null", readToken])
      await expectProblem(await ask("GET", `/realms/${realm.name}/clients`, { token }, more), 401, "unauthorized");
    expect((await ask("GET", `/realms/${realm.name}/clients`, {}, more)).status).toBe(200);
  });
});

test("a change whose entry can't be written to the audit trail doesn't happen", async () => {
  const realm = new Realm();
  using alice = await realm.join("alice");
  const stateOf = async (): Promise<string[]> =>
    Promise.all(["clients", "rules"].map(async (path) => (await admin(`/realms/${realm.name}/${path}`)).text()));
  const before = await stateOf();
  await runInDurableObject(realm.stub, async (object, { storage }) => {
    storage.sql.exec("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no room'); END");
    const changes = [
      () => object.administer(byTest, "addClient", "bob"),
      () => object.administer(byTest, "rotateClient", "alice"),
      () => object.administer(byTest, "setDisabled", "alice", true),
      () => object.administer(byTest, "revokeClient", "alice"),
      () => object.administer(byTest, "replaceRules", "default closed"),
    ];
    for (const change of changes) await expect(change()).rejects.toThrow(/no room/);
  });
  expect(await stateOf()).toEqual(before);
  expect(await alice.outcome()).toBe("open");
  alice.open("$nobody");
  expect(await alice.next()).toMatchObject({ kind: "refused", code: errorCodes.peerAbsent });
});
