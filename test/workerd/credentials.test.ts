import { abortAllDurableObjects, evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { closeCodes, goneReasons, subprotocols } from "@messagepasser/protocol";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import type { ClientInfo, NewSecret } from "@messagepasser/protocol/admin";
import { CredentialStore } from "../../src/credentials/credential-store.ts";
import { mintSecret } from "../../src/credentials/secret.ts";
import worker from "../../src/worker.ts";
import { admin, byTest, expectProblem, pepper, Realm } from "./realm.ts";
import { basic } from "../support/credentials.ts";
import { pairUp } from "./pairs.ts";

const revoked = { code: closeCodes.revoked, reason: "The secret was rotated or revoked" };
const hourMs = 3_600_000;

let now: number;
beforeEach(() => {
  // Later than real time, so that no alarm goes off by itself; on the hour, so that hours can be counted.
  now = (Math.floor(Date.now() / hourMs) + 48) * hourMs;
  const clock = vi.spyOn(Date, "now").mockImplementation(() => now);
  return () => clock.mockRestore();
});

async function post<Answer>(path: string, body: object = {}): Promise<Answer> {
  const response = await admin(path, { method: "POST", body: JSON.stringify(body) });
  expect(response.status).toBeLessThan(300);
  return response.json();
}

function add(realm: Realm, name: string, body: object): Promise<NewSecret> {
  return post(`/realms/${realm.name}/clients`, { name, ...body });
}

function rotate(realm: Realm, name: string, body: object = {}): Promise<NewSecret> {
  return post(`${realm.clientPath(name)}/rotate`, body);
}

async function infoOf(realm: Realm, name: string): Promise<ClientInfo> {
  const response = await admin(realm.clientPath(name));
  expect(response.status).toBe(200);
  return response.json();
}

function isoIn(ms: number): string {
  return new Date(now + ms).toISOString();
}

/** How long the alarm is away; `undefined` without one. */
function alarmIn(realm: Realm): Promise<number | undefined> {
  return runInDurableObject(realm.stub, async (_object, { storage }) => {
    const time = await storage.getAlarm();
    return time === null ? undefined : time - now;
  });
}

/** Whether an upgrade with this secret is let in, by a Worker that reads its own KV. */
async function statusWith(realm: Realm, name: string, secret: string, kv: unknown = env.CREDENTIALS): Promise<number> {
  const headers = {
    upgrade: "websocket",
    "sec-websocket-protocol": subprotocols.native,
    authorization: basic(name, secret),
  };
  const { ROUTER, MP_ADMIN_TOKEN, MP_PEPPER } = env;
  // The Worker reads KV, and does nothing else with it.
  const bindings = { ROUTER, MP_ADMIN_TOKEN, MP_PEPPER, CREDENTIALS: kv as KVNamespace };
  const response = await worker.fetch(new Request(`https://router.test/connect/${realm.name}`, { headers }), bindings);
  response.webSocket?.accept();
  response.webSocket?.close(1000);
  return response.status;
}

describe("a rotation with an overlap", () => {
  test("a rotation with an overlap leaves both secrets valid until it ends, and then only the new one, with or without an alarm", async () => {
    const realm = new Realm();
    const first = await realm.add("alice");
    const second = await rotate(realm, "alice", { overlapS: 60 });
    expect(second).toMatchObject({
      revision: 2,
      expiresAt: null,
      previous: { secretId: first.secretId, revision: 1, expiresAt: isoIn(60_000) },
    });
    expect(await alarmIn(realm)).toBe(60_000);
    now += 59_999;
    expect(await statusWith(realm, "alice", first.secret)).toBe(101);
    expect(await statusWith(realm, "alice", second.secret)).toBe(101);
    now += 1;
    expect(await statusWith(realm, "alice", first.secret)).toBe(401);
    expect(await infoOf(realm, "alice")).toMatchObject({ revision: 2, previous: null });
    expect(await runDurableObjectAlarm(realm.stub)).toBe(true);
    expect(await statusWith(realm, "alice", first.secret)).toBe(401);
    expect(await statusWith(realm, "alice", second.secret)).toBe(101);
    expect(await env.CREDENTIALS.get(`credential:${realm.name}:alice`, "json")).toMatchObject({ leastRevision: 2 });
    expect(await alarmIn(realm)).toBeUndefined();
  });

  test.each([false, true])(
    "a rotation's overlap ends the old secret's live link on time, and tells its peers (hibernated: %s)",
    async (sleeps) => {
      const realm = new Realm();
      using bob = await realm.join("bob");
      using old = await realm.join("alice");
      await rotate(realm, "alice", { overlapS: 60 });
      const { to } = await pairUp(bob, old);
      expect(await old.outcome()).toBe("open");
      if (sleeps) await evictDurableObject(realm.stub);
      now += 60_000;
      expect(await runDurableObjectAlarm(realm.stub)).toBe(true);
      expect(await old.closedByRouter()).toEqual(revoked);
      expect(await bob.next()).toEqual({ kind: "gone", address: to, reason: goneReasons.ended });
      expect(await bob.outcome()).toBe("open");
    },
  );

  test("a rotation's overlap leaves a link of the new secret alone, even over hibernation", async () => {
    const realm = new Realm();
    using old = await realm.join("alice");
    const { secret } = await rotate(realm, "alice", { overlapS: 60 });
    using alice = await realm.link("alice", secret);
    await evictDurableObject(realm.stub);
    expect(await old.outcome()).toBe("open");
    now += 60_000;
    expect(await runDurableObjectAlarm(realm.stub)).toBe(true);
    expect(await old.closedByRouter()).toEqual(revoked);
    expect(await alice.outcome()).toBe("open");
  });

  test("rotations never leave more than two secrets valid: the one before last ends at once, with its link", async () => {
    const realm = new Realm();
    using oldest = await realm.join("alice");
    const second = await rotate(realm, "alice", { overlapS: 3_600 });
    expect(await oldest.outcome()).toBe("open");
    const third = await rotate(realm, "alice", { overlapS: 60 });
    expect(await oldest.closedByRouter()).toEqual(revoked);
    expect(third.previous).toMatchObject({ revision: 2, expiresAt: isoIn(60_000) });
    expect(await statusWith(realm, "alice", second.secret)).toBe(101);
    expect(await statusWith(realm, "alice", third.secret)).toBe(101);
    const stored = await runInDurableObject(realm.stub, (_object, { storage }) =>
      storage.sql.exec<{ secrets: string }>("SELECT secrets FROM clients").toArray(),
    );
    expect(JSON.parse(stored[0]?.secrets ?? "")).toHaveLength(2);
    const fourth = await rotate(realm, "alice");
    expect(fourth.previous).toBeNull();
    for (const { secret } of [second, third]) expect(await statusWith(realm, "alice", secret)).toBe(401);
    expect(await statusWith(realm, "alice", fourth.secret)).toBe(101);
  });
});

describe("a secret that expires", () => {
  test.each(["add", "rotate"])(
    "a secret whose expiry is set by %s is valid until then, closes its live link then, and is still shown afterwards",
    async (by) => {
      const realm = new Realm();
      const times = { expiresAt: isoIn(60_000) };
      if (by === "rotate") await realm.add("alice");
      const { secret, ...made } = await (by === "add" ? add(realm, "alice", times) : rotate(realm, "alice", times));
      expect(made).toMatchObject({ ...times, previous: null });
      expect(await alarmIn(realm)).toBe(60_000);
      using alice = await realm.link("alice", secret);
      await evictDurableObject(realm.stub);
      now += 60_000;
      expect(await statusWith(realm, "alice", secret)).toBe(401);
      expect(await runDurableObjectAlarm(realm.stub)).toBe(true);
      expect(await alice.closedByRouter()).toEqual(revoked);
      expect(await infoOf(realm, "alice")).toMatchObject({ name: "alice", secretId: made.secretId, ...times });
      expect(await alarmIn(realm)).toBeUndefined();
      const renewed = await rotate(realm, "alice", { overlapS: 60 });
      expect(renewed).toMatchObject({ revision: made.revision + 1, previous: null, expiresAt: null });
      expect(await statusWith(realm, "alice", secret)).toBe(401);
      expect(await statusWith(realm, "alice", renewed.secret)).toBe(101);
    },
  );

  test("an overlap doesn't postpone a secret's expiry", async () => {
    const realm = new Realm();
    const { secret } = await add(realm, "alice", { expiresAt: isoIn(30_000) });
    const { previous } = await rotate(realm, "alice", { overlapS: 60 });
    expect(previous).toMatchObject({ expiresAt: isoIn(30_000) });
    now += 30_000;
    expect(await statusWith(realm, "alice", secret)).toBe(401);
  });

  test.each(["9999-12-31T23:59:59Z", "9999-12-31t23:59:59.999+01:00"])(
    "a secret may expire as late as %s",
    async (expiresAt) => {
      const realm = new Realm();
      const { secret } = await add(realm, "alice", { expiresAt });
      expect(await statusWith(realm, "alice", secret)).toBe(101);
      await add(realm, "bob", { expiresAt: isoIn(60_000) });
      now += 60_000;
      expect(await runDurableObjectAlarm(realm.stub)).toBe(true);
      expect(await statusWith(realm, "alice", secret)).toBe(101);
    },
  );

  test("a client that had its name before such names were refused keeps it", async () => {
    const realm = new Realm();
    await realm.add("alice");
    for (const name of ["bob ", "bob\u200b", "\u202ebob"]) {
      // As an earlier version of the router did.
      const made = await runInDurableObject(realm.stub, (object) => object.administer(byTest, "addClient", name));
      expect(await statusWith(realm, name, (made as NewSecret).secret)).toBe(101);
      const { secret } = await realm.rotate(name);
      expect(await statusWith(realm, name, secret)).toBe(101);
    }
  });

  test.each([
    { expiresAt: "2020-01-01T00:00:00Z" },
    { expiresAt: "soon" },
    { expiresAt: "+275760-09-13T00:00:00Z" },
    { expiresAt: "2030-02-31T00:00:00Z" },
    { expiresAt: "2030-02-31" },
    { expiresAt: "01/02/2030" },
    { expiresAt: "2030-01-31T12:00:00" },
    { expiresAt: 4_000_000_000_000 },
    { expiresAt: null },
    { overlapS: -1 },
    { overlapS: 1.5 },
    { overlapS: "60" },
    { overlapS: 30 * 86_400 + 1 },
    { lasts: 1 },
  ])("an invalid expiry or overlap is refused, and changes nothing: %o", async (times) => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    const body = JSON.stringify(times);
    await expectProblem(
      await admin(`${realm.clientPath("alice")}/rotate`, { method: "POST", body }),
      400,
      "bad-request",
    );
    expect(await statusWith(realm, "alice", secret)).toBe(101);
  });
});

describe("a disabled client", () => {
  test("a disabled client is cut off at once, and once enabled comes in again with the same secret, whatever KV says", async () => {
    const realm = new Realm();
    const kv = new LaggingKv();
    await kv.serve(realm);
    using bob = await realm.join("bob");
    const { secret } = await realm.add("alice");
    now += 120_000;
    using alice = await realm.link("alice", secret);
    const { to } = await pairUp(bob, alice);
    expect(await post(`${realm.clientPath("alice")}/disable`)).toMatchObject({ name: "alice", isDisabled: true });
    expect(await alice.closedByRouter()).toMatchObject({ code: closeCodes.revoked });
    expect(await bob.next()).toEqual({ kind: "gone", address: to, reason: goneReasons.ended });
    for (const seen of [kv, env.CREDENTIALS]) expect(await statusWith(realm, "alice", secret, seen)).toBe(401);
    await evictDurableObject(realm.stub);
    await kv.serve(realm);
    expect(await statusWith(realm, "alice", secret, kv)).toBe(401);
    // So long that KV would know, if it were told.
    now += 3_600_000;
    expect(await post(`${realm.clientPath("alice")}/enable`)).toMatchObject({ name: "alice", isDisabled: false });
    for (const seen of [kv, env.CREDENTIALS]) expect(await statusWith(realm, "alice", secret, seen)).toBe(101);
  });

  test("a client stays disabled through a rotation, but not when its name is added again", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    expect(await statusWith(realm, "alice", secret)).toBe(101);
    await post(`${realm.clientPath("alice")}/disable`);
    const rotated = await realm.rotate("alice");
    expect(rotated.isDisabled).toBe(true);
    expect(await statusWith(realm, "alice", rotated.secret)).toBe(401);
    await realm.revoke("alice");
    const anew = await realm.add("alice");
    expect(anew).toMatchObject({ isDisabled: false, lastUsedAt: null });
    expect(await statusWith(realm, "alice", anew.secret)).toBe(101);
  });

  test("disabling a client that doesn't exist is refused", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("bob");
    await realm.revoke("bob");
    for (const name of ["alice", "bob"]) {
      for (const what of ["disable", "enable"])
        await expectProblem(
          await admin(`${realm.clientPath(name)}/${what}`, { method: "POST" }),
          404,
          "no-such-client",
        );
      await expectProblem(await admin(realm.clientPath(name)), 404, "no-such-client");
    }
    expect(await statusWith(realm, "bob", secret)).toBe(401);
  });
});

describe("the state of a client", () => {
  /** Rows that the object's database has ever written. */
  /** Has the object count the rows of clients that it updates from now on. */
  async function countUpdates(realm: Realm): Promise<void> {
    await runInDurableObject(realm.stub, (_object, { storage: { sql } }) => {
      sql.exec("CREATE TABLE updates (name TEXT)");
      sql.exec("CREATE TRIGGER counts AFTER UPDATE ON clients BEGIN INSERT INTO updates VALUES (new.name); END");
    });
  }

  function updatesIn(realm: Realm): Promise<number> {
    return runInDurableObject(
      realm.stub,
      (_object, { storage }) =>
        storage.sql.exec<{ count: number }>("SELECT count(*) AS count FROM updates").one().count,
    );
  }

  test("a client's last use is known to the hour, with one write an hour, and only where it was let in", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    expect((await infoOf(realm, "alice")).lastUsedAt).toBeNull();
    expect(await statusWith(realm, "alice", mintSecret(pepper, realm.name, "alice", 1).text)).toBe(401);
    expect((await infoOf(realm, "alice")).lastUsedAt).toBeNull();
    await countUpdates(realm);
    const hour = isoIn(0);
    const uses = 5;
    const writes: number[] = [];
    for (let use = 0; use < uses; use++) {
      now += hourMs / uses - 1;
      const before = await updatesIn(realm);
      expect(await statusWith(realm, "alice", secret)).toBe(101);
      writes.push((await updatesIn(realm)) - before);
      expect((await infoOf(realm, "alice")).lastUsedAt).toBe(hour);
    }
    expect(writes).toEqual([1, 0, 0, 0, 0]);
    now += uses;
    expect(await statusWith(realm, "alice", secret)).toBe(101);
    expect((await infoOf(realm, "alice")).lastUsedAt).toBe(isoIn(0));
  });

  test("a client can be asked for alone, as it stands in the list, and without a secret", async () => {
    const realm = new Realm();
    const name = "ä b/ü";
    await realm.add("alice");
    await add(realm, name, { expiresAt: isoIn(60_000) });
    const { secret, ...info } = await rotate(realm, name, { overlapS: 7 });
    expect(await infoOf(realm, name)).toEqual(info);
    const page = await admin(`/realms/${realm.name}/clients`);
    const { clients } = await page.json<{ clients: ClientInfo[] }>();
    expect(clients.find((client) => client.name === name)).toEqual(info);
    expect(JSON.stringify(clients)).not.toContain(secret);
  });
});

/** A KV of which everybody reads what was there a minute ago. */
class LaggingKv {
  readonly #puts: { readonly key: string; readonly value: string; readonly atMs: number }[] = [];
  isDown = false;

  put(key: string, value: string): Promise<void> {
    if (this.isDown) return Promise.reject(new Error("KV is down"));
    this.#puts.push({ key, value, atMs: now });
    return Promise.resolve();
  }

  get(key: string): Promise<unknown> {
    const value = this.#puts.findLast((put) => put.key === key && put.atMs <= now - 60_000)?.value;
    return Promise.resolve(value === undefined ? null : JSON.parse(value));
  }

  /** Runs a realm's object on it, until the object is reset. */
  serve(realm: Realm): Promise<void> {
    return runInDurableObject(realm.stub, (object) => {
      const { ROUTER, MP_ADMIN_TOKEN, MP_PEPPER } = env;
      Object.defineProperty(object, "env", { value: { ROUTER, MP_ADMIN_TOKEN, MP_PEPPER, CREDENTIALS: this } });
    });
  }
}

describe.each<[string, (realm: Realm) => Promise<void>]>([
  ["that stays", () => Promise.resolve()],
  ["that hibernates", (realm) => evictDurableObject(realm.stub)],
  ["that is evicted", (realm) => evictDurableObject(realm.stub, { webSockets: "close" })],
  ["that is reset", () => abortAllDurableObjects()],
])("with a KV that is a minute old, an object %s", (what, reset) => {
  test(`an object ${what} takes each new secret at once and refuses old ones, though KV is a minute behind`, async () => {
    const realm = new Realm();
    const kv = new LaggingKv();
    const again = async (): Promise<void> => {
      now += 10;
      await reset(realm);
      await kv.serve(realm);
    };
    const expectOnly = async (good: readonly NewSecret[], bad: readonly NewSecret[]): Promise<void> => {
      for (const { secret } of good) expect(await statusWith(realm, "alice", secret, kv)).toBe(101);
      for (const { secret } of bad) expect(await statusWith(realm, "alice", secret, kv)).toBe(401);
    };
    await kv.serve(realm);
    const first = await realm.add("alice");
    now += 3_600_000;
    await again();
    await expectOnly([first], []);
    const second = await realm.rotate("alice");
    await again();
    await expectOnly([second], [first]);
    const third = await rotate(realm, "alice", { overlapS: 1 });
    await again();
    await expectOnly([second, third], [first]);
    now += 1_000;
    await again();
    await expectOnly([third], [first, second]);
    await realm.revoke("alice");
    await again();
    await expectOnly([], [first, second, third]);
    const fourth = await realm.add("alice");
    await again();
    await expectOnly([fourth], [first, second, third]);
    expect([first, second, third, fourth].map(({ revision }) => revision)).toEqual([1, 2, 3, 4]);
    now += 60_000;
    await again();
    await expectOnly([fourth], [first, second, third]);
  });
});

test("the link of an expired secret is closed on time though KV has been down for long", async () => {
  const realm = new Realm();
  const kv = new LaggingKv();
  const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  onTestFinished(() => warn.mockRestore());
  await kv.serve(realm);
  kv.isDown = true;
  const { secret } = await add(realm, "alice", { expiresAt: isoIn(600_000) });
  for (let attempt = 0; attempt < 8; attempt++) {
    const waitMs = (await alarmIn(realm)) ?? Infinity;
    if (waitMs > 300_000) break;
    now += waitMs;
    await runDurableObjectAlarm(realm.stub);
  }
  using alice = await realm.link("alice", secret);
  const { expiresAt } = await infoOf(realm, "alice");
  const leftMs = Date.parse(expiresAt ?? "") - now;
  expect(await alarmIn(realm)).toBeLessThanOrEqual(leftMs);
  now += leftMs;
  expect(await runDurableObjectAlarm(realm.stub)).toBe(true);
  expect(await alice.closedByRouter()).toEqual(revoked);
  // Tried again with pauses as before: the end of a secret is no reason to hurry.
  expect(await alarmIn(realm)).toBeGreaterThan(1_000);
});

test("more clients than one alarm takes all expire, by as many alarms as it needs", async () => {
  const realm = new Realm();
  const count = 120;
  await runInDurableObject(realm.stub, (_object, { storage }) => {
    // The realm's own tables, written without an alarm for each.
    const store = new CredentialStore(storage.sql, pepper, realm.name);
    for (let number = 0; number < count; number++) store.add(`client ${number}`, { expiresAtMs: now + 1_000 });
  });
  await add(realm, "last", { expiresAt: isoIn(1_000) });
  now += 1_000;
  while (await runDurableObjectAlarm(realm.stub));
  const left = await runInDurableObject(realm.stub, (_object, { storage }) =>
    storage.sql.exec("SELECT name FROM clients WHERE next_expiry IS NOT NULL OR kv_pending = 1").toArray(),
  );
  expect(left).toEqual([]);
});
