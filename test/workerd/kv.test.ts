import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { subprotocols } from "@messagepasser/protocol";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { type CredentialRecord, credentialKey, KvCopier } from "../../src/credentials/kv-records.ts";
import { CredentialStore } from "../../src/credentials/credential-store.ts";
import { KeyStore } from "../../src/credentials/key-store.ts";
import type { NewSecret } from "@messagepasser/protocol/admin";
import type { Env } from "../../src/env.ts";
import { mintSecret } from "../../src/credentials/secret.ts";
import worker from "../../src/worker.ts";
import { adminToken, byTest, expectProblem, pepper, Realm } from "./realm.ts";
import { basic } from "../support/credentials.ts";
import { upgrade } from "./upgrade.ts";

beforeEach(() => {
  // The failure of KV is logged, as it should be.
  const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  return () => warn.mockRestore();
});

async function statusOf(realm: Realm, name: string, secret: string): Promise<number> {
  const response = await upgrade(`/connect/${realm.name}`, { authorization: basic(name, secret) });
  response.webSocket?.accept();
  response.webSocket?.close(1000);
  if (response.status !== 101) await expectProblem(response, 401, "unauthorized");
  return response.status;
}

function kvOf(realm: Realm, name: string): Promise<CredentialRecord | null> {
  return env.CREDENTIALS.get<CredentialRecord>(credentialKey(realm.name, name), "json");
}

describe("KV's copy of the credentials", () => {
  test("KV's copy has each change once the admin API has answered: which revisions have ended, and nothing of a secret", async () => {
    const realm = new Realm();
    await realm.add("alice");
    expect(await kvOf(realm, "alice")).toEqual({ version: 1, leastRevision: 1 });
    await realm.rotate("alice");
    expect(await kvOf(realm, "alice")).toEqual({ version: 1, leastRevision: 2 });
    await realm.revoke("alice");
    expect(await kvOf(realm, "alice")).toEqual({ version: 1, leastRevision: 3 });
    await realm.add("alice");
    expect(await kvOf(realm, "alice")).toEqual({ version: 1, leastRevision: 3 });
  });

  test("KV's copy keeps realms and names apart", async () => {
    const [home, work] = [new Realm(), new Realm()];
    await home.add("alice");
    await work.add("alice");
    await work.revoke("alice");
    expect(await kvOf(home, "alice")).toEqual({ version: 1, leastRevision: 1 });
    expect(await kvOf(work, "alice")).toEqual({ version: 1, leastRevision: 2 });
  });

  test("a client that KV's copy lacks is decided on by the realm's object", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    await env.CREDENTIALS.delete(credentialKey(realm.name, "alice"));
    expect(await statusOf(realm, "alice", secret)).toBe(101);
    await realm.revoke("alice");
    await env.CREDENTIALS.delete(credentialKey(realm.name, "alice"));
    expect(await statusOf(realm, "alice", secret)).toBe(401);
  });

  test("a copy in KV from before a rotation or a revocation lets no old secret in", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    const old = JSON.stringify(await kvOf(realm, "alice"));
    const rotated = await realm.rotate("alice");
    await env.CREDENTIALS.put(credentialKey(realm.name, "alice"), old);
    expect(await statusOf(realm, "alice", secret)).toBe(401);
    expect(await statusOf(realm, "alice", rotated.secret)).toBe(101);
    await realm.revoke("alice");
    await env.CREDENTIALS.put(credentialKey(realm.name, "alice"), old);
    expect(await statusOf(realm, "alice", secret)).toBe(401);
    expect(await statusOf(realm, "alice", rotated.secret)).toBe(401);
  });

  const unreadable: [string, string][] = [
    ["that is empty", ""],
    ["that is no JSON", "{"],
    ["that is null", "null"],
    ["that is a number", "7"],
    ["that is a list", "[]"],
    ["without fields", "{}"],
    ["whose revision is a text", '{"version":1,"leastRevision":"x"}'],
    ["of another version", '{"version":2,"leastRevision":1000000}'],
    ["that isn't UTF-8", "\ud800"],
  ];
  test.for(unreadable)("a record %s in KV leaves the decision to the realm's object", async ([, text]) => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    const { secret: newSecret } = await realm.rotate("alice");
    await env.CREDENTIALS.put(credentialKey(realm.name, "alice"), text);
    expect(await statusOf(realm, "alice", newSecret)).toBe(101);
    expect(await statusOf(realm, "alice", secret)).toBe(401);
    expect(await statusOf(realm, "alice", "mp_guess")).toBe(401);
  });

  test("a KV that fails leaves the decision to the realm's object", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    const failing = counting({ get: () => Promise.reject(new Error("KV is down")) });
    expect((await failing.upgrade(realm, secret)).status).toBe(101);
    expect((await failing.upgrade(realm, mintSecret(pepper, realm.name, "alice", 1).text)).status).toBe(401);
  });
});

interface Counting {
  readonly kvReads: number;
  readonly objectRequests: number;
  upgrade(realm: Realm, secret: string): Promise<Response>;
}

/** The Worker with bindings that count what is asked of them. */
function counting(kv: { get(key: string, type: "json"): Promise<unknown> } = env.CREDENTIALS): Counting {
  const count = { kvReads: 0, objectRequests: 0 };
  const counted: Env = {
    ...bindings(),
    // The Worker uses no more of a namespace than what stands here.
    CREDENTIALS: {
      get(key: string, type: "json") {
        count.kvReads++;
        return kv.get(key, type);
      },
    } as KVNamespace,
    ROUTER: {
      getByName(name: string) {
        count.objectRequests++;
        return env.ROUTER.getByName(name);
      },
    } as unknown as Env["ROUTER"],
  };
  return {
    get kvReads() {
      return count.kvReads;
    },
    get objectRequests() {
      return count.objectRequests;
    },
    async upgrade({ name }, secret) {
      const headers = {
        upgrade: "websocket",
        "sec-websocket-protocol": subprotocols.native,
        authorization: basic("alice", secret),
      };
      const response = await worker.fetch(new Request(`https://router.test/connect/${name}`, { headers }), counted);
      response.webSocket?.accept();
      response.webSocket?.close(1000);
      return response;
    },
  };
}

function bindings(): Env {
  const { ROUTER, CREDENTIALS, MP_ADMIN_TOKEN, MP_PEPPER } = env;
  return { ROUTER, CREDENTIALS, MP_ADMIN_TOKEN, MP_PEPPER };
}

describe("the cost of an upgrade", () => {
  test("a valid secret costs one read of KV and one request to the object", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    const worker = counting();
    expect((await worker.upgrade(realm, secret)).status).toBe(101);
    expect([worker.kvReads, worker.objectRequests]).toEqual([1, 1]);
  });

  test("a guessed secret costs neither a read of KV nor a request to the object", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    const worker = counting();
    const flipped = secret.slice(0, 20) + (secret[20] === "A" ? "B" : "A") + secret.slice(21);
    const guesses = ["", "x", flipped, mintSecret("another pepper", realm.name, "alice", 1).text];
    for (const guess of guesses) expect((await worker.upgrade(realm, guess)).status).toBe(401);
    expect([worker.kvReads, worker.objectRequests]).toEqual([0, 0]);
  });

  test("a secret that KV knows to have ended costs one read of KV, and no request to the object", async () => {
    const realm = new Realm();
    const { secret } = await realm.add("alice");
    await realm.rotate("alice");
    const worker = counting();
    expect((await worker.upgrade(realm, secret)).status).toBe(401);
    expect([worker.kvReads, worker.objectRequests]).toEqual([1, 0]);
  });
});

describe.for([
  ["never set", undefined],
  ["set to nothing", ""],
] as const)("a router whose secrets were %s", ([what, nothing]) => {
  async function answerOf(path: string, missing: Partial<Env>, headers: Record<string, string>): Promise<Response> {
    return worker.fetch(new Request(`https://router.test${path}`, { headers }), { ...bindings(), ...missing });
  }
  const { native } = subprotocols;
  const both = { MP_ADMIN_TOKEN: nothing, MP_PEPPER: nothing };

  test(`a router whose pepper was ${what} lets no client in, and says what to do`, async () => {
    const guesses = [
      "x",
      mintSecret("", "default", "alice", 1).text,
      mintSecret("undefined", "default", "alice", 1).text,
    ];
    for (const missing of [{ MP_PEPPER: nothing }, both]) {
      for (const secret of guesses) {
        const upgrade = { upgrade: "websocket", "sec-websocket-protocol": native };
        const toProgram = await answerOf("/connect", missing, { ...upgrade, authorization: basic("alice", secret) });
        expect(toProgram.headers.get("retry-after")).toBe("60");
        expect(await expectProblem(toProgram, 503, "not-configured")).toContain("wrangler secret put MP_PEPPER");
        const authorization = basic("alice", secret);
        const forTicket = new Request("https://router.test/ticket", { method: "POST", headers: { authorization } });
        const toPage = await worker.fetch(forTicket, { ...bindings(), ...missing });
        expect(toPage.headers.get("retry-after")).toBe("60");
        await expectProblem(toPage, 503, "not-configured");
      }
    }
  });

  test(`a router whose token or pepper was ${what} has no admin API, whatever is sent`, async () => {
    for (const authorization of ["Bearer ", "Bearer", "Bearer undefined", "", `Bearer ${adminToken}`]) {
      for (const missing of [{ MP_ADMIN_TOKEN: nothing }, { MP_PEPPER: nothing }, both]) {
        const response = await answerOf("/admin/v1/realms/home/clients", missing, { authorization });
        expect(response.headers.get("retry-after")).toBe("60");
        expect(await expectProblem(response, 503, "not-configured")).toContain("wrangler secret put");
      }
    }
  });
});

test.for<[string, () => Promise<Response>]>([
  ["runs another version than the Worker", () => Promise.resolve(new Response(null, { status: 503 }))],
  ["ends while it is asked", () => Promise.reject(new Error("Internals of the runtime"))],
])("an object that %s is worth another try, for a program and for a page", async ([, answer]) => {
  const realm = new Realm();
  const { secret } = await realm.add("alice");
  const logged = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  onTestFinished(() => logged.mockRestore());
  // Another version may not have the method.
  const wouldAdmit = (): Promise<never> => Promise.reject(new Error("Internals of the runtime"));
  // The Worker asks the namespace for nothing else.
  const ROUTER = { getByName: () => ({ fetch: answer, wouldAdmit }) } as unknown as Env["ROUTER"];
  const answerTo = (headers: Record<string, string>): Response | Promise<Response> =>
    worker.fetch(
      new Request(`https://router.test/connect/${realm.name}`, { headers: { upgrade: "websocket", ...headers } }),
      { ...bindings(), ROUTER },
    );
  const { native } = subprotocols;
  const toProgram = await answerTo({ "sec-websocket-protocol": native, authorization: basic("alice", secret) });
  expect(toProgram.headers.get("retry-after")).toBe("5");
  await expectProblem(toProgram, 503, "restarting");
  const authorization = basic("alice", secret);
  const forTicket = new Request(`https://router.test/ticket/${realm.name}`, {
    method: "POST",
    headers: { authorization },
  });
  const toPage = await worker.fetch(forTicket, { ...bindings(), ROUTER });
  expect(toPage.headers.get("retry-after")).toBe("5");
  await expectProblem(toPage, 503, "restarting");
});

describe("a change that KV refuses", () => {
  interface FlakyKv {
    readonly puts: string[];
    isDown: boolean;
    put(key: string, value: string): Promise<void>;
  }

  function flakyKv(): FlakyKv {
    return {
      puts: [],
      isDown: true,
      put(key, value) {
        if (this.isDown) return Promise.reject(new Error("KV is down"));
        this.puts.push(`${key} ${value}`);
        return Promise.resolve();
      },
    };
  }

  test("a change that KV refuses is in the object at once, and is written when KV is back, in its newest state only", async () => {
    const realm = new Realm();
    await runInDurableObject(realm.stub, async (_object, state) => {
      const kv = flakyKv();
      const store = new CredentialStore(state.storage.sql, pepper, realm.name);
      // The copier writes to KV, and does nothing else with it.
      const copier = new KvCopier(kv as unknown as KVNamespace, realm.name, {
        credentials: store,
        keys: new KeyStore(state.storage, pepper, realm.name),
      });
      const { secret } = store.add("alice") ?? { secret: "" };
      expect(secret).toMatch(/^mp_/);
      expect(await copier.copyPending()).toBe(false);
      store.rotate("alice");
      expect(await copier.copyPending()).toBe(false);
      kv.isDown = false;
      expect(await copier.copyPending()).toBe(true);
      expect(kv.puts).toHaveLength(1);
      expect(kv.puts[0]).toContain(`${credentialKey(realm.name, "alice")} {"version":1,"leastRevision":2`);
      expect(await copier.copyPending()).toBe(true);
      expect(kv.puts).toHaveLength(1);
    });
  });

  test("a change that comes while another is written to KV is written after it", async () => {
    const realm = new Realm();
    await runInDurableObject(realm.stub, async (_object, state) => {
      const puts: string[] = [];
      const held = Promise.withResolvers<void>();
      const kv = {
        put(_key: string, value: string): Promise<void> {
          puts.push(value);
          return puts.length === 1 ? held.promise : Promise.resolve();
        },
      };
      const store = new CredentialStore(state.storage.sql, pepper, realm.name);
      const copier = new KvCopier(kv as unknown as KVNamespace, realm.name, {
        credentials: store,
        keys: new KeyStore(state.storage, pepper, realm.name),
      });
      store.add("alice");
      const first = copier.copyPending();
      store.rotate("alice");
      held.resolve();
      await first;
      await copier.copyPending();
      expect(puts.map((value) => (JSON.parse(value) as CredentialRecord).leastRevision)).toEqual([1, 2]);
    });
  });

  test("a change that KV refuses doesn't fail the request, and the object's alarm tries it again until KV takes it", async () => {
    const realm = new Realm();
    const kv = flakyKv();
    const client = await runInDurableObject(realm.stub, async (object, { storage }) => {
      const withFlakyKv = { ...bindings(), CREDENTIALS: kv as unknown as KVNamespace };
      Object.defineProperty(object, "env", { value: withFlakyKv });
      const added = (await object.administer(byTest, "addClient", "alice")) as NewSecret | undefined;
      expect(await storage.getAlarm()).not.toBeNull();
      return added;
    });
    expect(await statusOf(realm, "alice", client?.secret ?? "")).toBe(101);
    expect(await runDurableObjectAlarm(realm.stub)).toBe(true);
    expect(kv.puts).toEqual([]);
    kv.isDown = false;
    expect(await runDurableObjectAlarm(realm.stub)).toBe(true);
    expect(kv.puts).toHaveLength(1);
    expect(await runDurableObjectAlarm(realm.stub)).toBe(false);
  });

  test("a change has its alarm set before KV is asked, in case the object stops then", async () => {
    const realm = new Realm();
    const alarms = await runInDurableObject(realm.stub, async (object, { storage }) => {
      const seen: (number | null)[] = [];
      const kv = { put: async () => void seen.push(await storage.getAlarm()) };
      Object.defineProperty(object, "env", { value: { ...bindings(), CREDENTIALS: kv } });
      await object.administer(byTest, "addClient", "alice");
      await object.administer(byTest, "rotateClient", "alice");
      await object.administer(byTest, "revokeClient", "alice");
      return seen;
    });
    expect(alarms).toEqual([expect.any(Number), expect.any(Number), expect.any(Number)]);
  });

  test("a change is written to KV once, however many others are being written", async () => {
    const realm = new Realm();
    const count = 20;
    const puts = await runInDurableObject(realm.stub, async (object) => {
      const keys: string[] = [];
      const kv = { put: (key: string) => Promise.resolve(void keys.push(key)) };
      Object.defineProperty(object, "env", { value: { ...bindings(), CREDENTIALS: kv } });
      await Promise.all(
        Array.from({ length: count }, (_, number) => object.administer(byTest, "addClient", `client ${number}`)),
      );
      return keys;
    });
    expect(puts).toHaveLength(count);
    expect(new Set(puts).size).toBe(count);
    expect(await runDurableObjectAlarm(realm.stub)).toBe(false);
  });

  /** Runs a realm's object on another KV, until it is evicted. */
  function useKv(realm: Realm, kv: Pick<FlakyKv, "put">): Promise<void> {
    return runInDurableObject(realm.stub, (object) => {
      // The store puts into KV, and nothing else.
      Object.defineProperty(object, "env", { value: { ...bindings(), CREDENTIALS: kv as unknown as KVNamespace } });
    });
  }

  describe("while time stands still", () => {
    let now: number;
    beforeEach(() => {
      // Later than real time, so that no alarm goes off by itself.
      now = Date.now() + 86_400_000;
      const clock = vi.spyOn(Date, "now").mockImplementation(() => now);
      return () => clock.mockRestore();
    });

    /** How long the alarm is away; `undefined` without one. */
    function alarmIn(realm: Realm): Promise<number | undefined> {
      return runInDurableObject(realm.stub, async (_object, { storage }) => {
        const time = await storage.getAlarm();
        return time === null ? undefined : time - now;
      });
    }

    function attemptsOf(realm: Realm): Promise<number | undefined> {
      return runInDurableObject(realm.stub, (_object, { storage }) => storage.kv.get<number>("kvAttempts"));
    }

    test("a change that KV refuses is tried again after 2 s, then after twice as long each time and 15 min at most, even over hibernation", async () => {
      const realm = new Realm();
      const kv = flakyKv();
      await useKv(realm, kv);
      await realm.stub.administer(byTest, "addClient", "alice");
      const waits = [await alarmIn(realm)];
      for (let attempt = 1; attempt <= 11; attempt++) {
        await evictDurableObject(realm.stub);
        await useKv(realm, kv);
        expect(await runDurableObjectAlarm(realm.stub)).toBe(true);
        expect(await attemptsOf(realm)).toBe(attempt);
        waits.push(await alarmIn(realm));
      }
      const doubling = [2, 4, 8, 16, 32, 64, 128, 256, 512];
      expect(waits).toEqual([...doubling, 900, 900, 900].map((seconds) => seconds * 1_000));
      kv.isDown = false;
      expect(await runDurableObjectAlarm(realm.stub)).toBe(true);
      expect(kv.puts).toHaveLength(1);
      expect(await alarmIn(realm)).toBeUndefined();
    });

    test("a change that KV refuses starts again at 2 s when there is another change, and takes the older one along", async () => {
      const realm = new Realm();
      const kv = flakyKv();
      await useKv(realm, kv);
      await realm.stub.administer(byTest, "addClient", "alice");
      for (let attempt = 0; attempt < 5; attempt++) await runDurableObjectAlarm(realm.stub);
      expect(await alarmIn(realm)).toBe(64_000);
      await realm.stub.administer(byTest, "addClient", "bob");
      expect(await attemptsOf(realm)).toBeUndefined();
      expect(await alarmIn(realm)).toBe(2_000);
      await runDurableObjectAlarm(realm.stub);
      expect(await alarmIn(realm)).toBe(4_000);
      kv.isDown = false;
      await runDurableObjectAlarm(realm.stub);
      expect(kv.puts).toHaveLength(2);
      expect(await alarmIn(realm)).toBeUndefined();
    });

    test("a change leaves no alarm behind once KV has it, and keeps one for as long as KV lacks another change", async () => {
      const realm = new Realm();
      const kv = flakyKv();
      await useKv(realm, kv);
      kv.isDown = false;
      await realm.stub.administer(byTest, "addClient", "alice");
      expect(await alarmIn(realm)).toBeUndefined();
      kv.isDown = true;
      await realm.stub.administer(byTest, "rotateClient", "alice");
      expect(await alarmIn(realm)).toBe(2_000);
      kv.isDown = false;
      await realm.stub.administer(byTest, "addClient", "bob");
      expect(await alarmIn(realm)).toBe(2_000);
      await realm.stub.administer(byTest, "revokeClient", "alice");
      expect(await alarmIn(realm)).toBeUndefined();
      expect(await runDurableObjectAlarm(realm.stub)).toBe(false);
      expect(kv.puts).toHaveLength(3);
    });

    test("changes that KV takes are written without growing pauses, though there is more than one alarm's worth", async () => {
      const realm = new Realm();
      const kv = flakyKv();
      await useKv(realm, kv);
      const count = 250;
      await runInDurableObject(realm.stub, async (object) => {
        for (let number = 0; number < count; number++) await object.administer(byTest, "addClient", `client ${number}`);
      });
      for (let attempt = 0; attempt < 3; attempt++) await runDurableObjectAlarm(realm.stub);
      kv.isDown = false;
      for (const written of [100, 200]) {
        await runDurableObjectAlarm(realm.stub);
        expect(kv.puts).toHaveLength(written);
        expect(await alarmIn(realm)).toBe(2_000);
      }
      await runDurableObjectAlarm(realm.stub);
      expect(kv.puts).toHaveLength(count);
      expect(new Set(kv.puts).size).toBe(count);
      expect(await alarmIn(realm)).toBeUndefined();
    });
  });
});
