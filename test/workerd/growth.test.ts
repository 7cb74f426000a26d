import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { closeCodes, subprotocols } from "@messagepasser/protocol";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { ClientPage } from "@messagepasser/protocol/admin";
import { upgradeRequest } from "../../src/realm/admission.ts";
import type { GrowthSteps } from "../../src/realm/growth.ts";
import { Place } from "../../src/realm/place.ts";
import type { CalledObject } from "../../src/realm/shard-caller.ts";
import type { RouterObject } from "../../src/router-object.ts";
import { homeOf } from "../../src/shards/home.ts";
import { basic, newSession } from "../support/credentials.ts";
import { expectTalk, pairAgain, pairUp } from "./pairs.ts";
import { admin, expectProblem, Realm } from "./realm.ts";
import { setShards, ShardedRealm } from "./sharded-realm.ts";
import { upgrade } from "./upgrade.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

/** A realm of one shard with clients, by their names, of which each of four shards will be the home of some. */
async function populated(): Promise<{ realm: ShardedRealm; secrets: Map<string, string> }> {
  const realm = new ShardedRealm();
  const secrets = new Map<string, string>();
  for (let at = 0; at < 12; at++) secrets.set(`client${at}`, (await realm.add(`client${at}`)).secret);
  return { realm, secrets };
}

async function statusOf(realm: Realm, name: string, secret: string): Promise<number> {
  const response = await upgrade(`/connect/${realm.name}`, { authorization: basic(name, secret) });
  response.webSocket?.accept();
  response.webSocket?.close();
  return response.status;
}

/** Checks that the clients are all there, each in one object only, which is its home, and is let in. */
async function expectWhole(realm: ShardedRealm, secrets: ReadonlyMap<string, string>): Promise<void> {
  const { clients } = await (await admin(`/realms/${realm.name}/clients`)).json<ClientPage>();
  expect(clients.map(({ name }) => name)).toEqual(Array.from(secrets.keys()).sort());
  for (let shard = 0; shard < realm.count; shard++) {
    const there = await runInDurableObject(realm.shard(shard), (_, { storage }) =>
      storage.sql.exec<{ name: string }>("SELECT name FROM clients ORDER BY name").toArray(),
    );
    const expected = Array.from(secrets.keys()).filter((name) => homeOf(name, realm.count) === shard);
    expect(there.map(({ name }) => name)).toEqual(expected.sort());
  }
  for (const [name, secret] of secrets) expect(await statusOf(realm, name, secret)).toBe(101);
}

test("a realm grows while clients are connected: the links of names that move are closed, and no other", async () => {
  const realm = new ShardedRealm();
  const [staying, other, moving] = [realm.nameOn(0, "a", 2), realm.nameOn(0, "b", 2), realm.nameOn(1, "c", 2)];
  const [alice, bob] = [await realm.join(staying), await realm.join(other)];
  const { secret } = await realm.add(moving);
  const carol = await realm.link(moving, secret);
  const pair = await pairUp(alice, bob);
  const { to } = await pairUp(alice, carol);
  await realm.grow(2);
  expect(await carol.closedByRouter()).toMatchObject({ code: closeCodes.restarting });
  expect(await alice.nextOf("gone")).toMatchObject({ address: to });
  await expectTalk(alice, bob, pair);
  const back = await realm.link(moving, secret, carol.session);
  await expectTalk(alice, back, await pairAgain(alice, back));
  await realm.grow(3);
  await expectTalk(alice, bob, pair);
});

test("a pair of clients of two shards goes on while a third one comes", async () => {
  const realm = await ShardedRealm.of(2);
  const names = [realm.nameOn(0, "a", 3), realm.nameOn(1, "b", 3)] as const;
  const [alice, bob] = [await realm.join(names[0]), await realm.join(names[1])];
  const pair = await pairUp(alice, bob);
  await realm.grow(3);
  await expectTalk(alice, bob, pair);
  await expectTalk(bob, alice, { from: pair.to, to: pair.from });
});

test("a watch tells of clients that come to a shard which was added later", async () => {
  const realm = new ShardedRealm();
  const watcher = await realm.join(realm.nameOn(0, "watcher", 2));
  watcher.toRouter({ kind: "watch", request: 1, pattern: "client*" });
  const toldAll = async (): Promise<void> => {
    await watcher.nextOf("snapshot");
    expect(await watcher.nextOf("snapshot")).toMatchObject({ complete: 1 });
  };
  await toldAll();
  await realm.grow(2);
  await toldAll();
  const name = realm.nameOn(1);
  await realm.join(name);
  expect(await watcher.nextOf("present")).toMatchObject({ request: 1, name });
});

test("a realm that grows keeps its clients, each in the shard that is its home", async () => {
  const { realm, secrets } = await populated();
  await realm.grow(4);
  await expectWhole(realm, secrets);
  await realm.grow(7);
  await expectWhole(realm, secrets);
});

const steps = ["beginGiving", "beginFilling", "givenRows", "fill", "finishGiving", "learn"] as const;

describe.each(steps)("an object that ends in the step %s of a growth", (step) => {
  test.each(["before it", "after it"])("%s leaves a realm that goes on growing, and loses nothing", async (when) => {
    vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const { realm, secrets } = await populated();
    const original = Place.prototype.step as (...parameters: unknown[]) => unknown;
    let isStruck = false;
    vi.spyOn(Place.prototype, "step").mockImplementation(function (this: Place, ...parameters: unknown[]) {
      if (isStruck || parameters[0] !== step) return original.apply(this, parameters);
      isStruck = true;
      if (when === "after it") original.apply(this, parameters);
      throw new Error("The object ends");
    });
    expect((await setShards(realm, 2)).status).toBe(202);
    // What waits for a promise that an object resolves goes on inside of the object.
    await expect.poll(() => isStruck).toBe(true);
    for (const shard of [0, 1]) await end(realm.shard(shard));
    await runDurableObjectAlarm(realm.stub);
    await realm.hasGrown(2);
    await expectWhole(realm, secrets);
  });
});

test("a shard that doesn't answer holds up only the end of a growth, and keeps nobody out", async () => {
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const { realm, secrets } = await populated();
  await realm.grow(2);
  const original = Place.prototype.step as (...parameters: unknown[]) => unknown;
  let isDeaf = true;
  vi.spyOn(Place.prototype, "step").mockImplementation(function (this: Place, ...parameters: unknown[]) {
    if (this.shard === 1 && isDeaf) throw new Error("There is no answer");
    return original.apply(this, parameters);
  });
  expect((await setShards(realm, 3)).status).toBe(202);
  await expect.poll(() => realm.layout()).toEqual({ shards: 3, target: 3 });
  for (const [name, secret] of secrets) expect(await statusOf(realm, name, secret)).toBe(101);
  isDeaf = false;
  await runDurableObjectAlarm(realm.stub);
  await realm.hasGrown(3);
  await expectWhole(realm, secrets);
});

/** Ends an object: all that it had in memory is gone. */
async function end(stub: DurableObjectStub<RouterObject>): Promise<void> {
  const ended = runInDurableObject(stub, (_, state) => {
    state.abort("The test ends the object");
  });
  await expect(ended).rejects.toThrow("The test ends the object");
}

test("a change of a client that is moving waits, and happens at its new home", async () => {
  const { realm, secrets } = await populated();
  const moving = realm.nameOn(1, "client", 2);
  const original = Place.prototype.finishGiving;
  const rotated = Promise.withResolvers<() => Promise<string>>();
  vi.spyOn(Place.prototype, "finishGiving").mockImplementation(function (this: Place, token) {
    const secret = realm.rotate(moving).then((made) => made.secret);
    rotated.resolve(() => secret);
    original.call(this, token);
  });
  await realm.grow(2);
  secrets.set(moving, await (await rotated.promise)());
  await expectWhole(realm, secrets);
});

test("a new shard has the rules that are set while it is filled", async () => {
  const { realm } = await populated();
  const original = Place.prototype.finishGiving;
  const replaced = Promise.withResolvers<() => Promise<Response>>();
  vi.spyOn(Place.prototype, "finishGiving").mockImplementation(function (this: Place, token) {
    const answer = admin(`/realms/${realm.name}/rules`, { method: "PUT", body: "default closed" });
    replaced.resolve(() => answer);
    original.call(this, token);
  });
  await realm.grow(2);
  expect((await (await replaced.promise)()).status).toBe(204);
  for (const shard of [0, 1])
    expect(
      await runInDurableObject(realm.shard(shard), (_, { storage }) =>
        storage.sql.exec("SELECT text FROM rules").one(),
      ),
    ).toEqual({ text: "default closed" });
});

async function stepOf<Step extends keyof GrowthSteps>(
  stub: DurableObjectStub<RouterObject>,
  step: Step,
  ...parameters: Parameters<GrowthSteps[Step]>
): Promise<unknown> {
  // The types of RPC don't know the method.
  return await (stub as unknown as CalledObject).growthStep(step, ...parameters);
}

/** Begins to give names to a second shard. @returns the attempt's token */
async function begin(giver: DurableObjectStub<RouterObject>, added: DurableObjectStub<RouterObject>): Promise<string> {
  const token = String(await stepOf(giver, "beginGiving", 2));
  await stepOf(added, "beginFilling", { count: 2, token });
  return token;
}

test("a copy of names that another attempt has begun anew can't be finished, nor filled on", async () => {
  const { realm } = await populated();
  const [giver, added] = [realm.shard(0), realm.shard(1)];
  const first = await begin(giver, added);
  await begin(giver, added);
  await expect(stepOf(giver, "finishGiving", first)).rejects.toThrow(/over/);
  await expect(stepOf(added, "fill", first, { table: 0, rows: [] })).rejects.toThrow(/over/);
});

test("a copy that nobody goes on with holds no client for long, and can't be finished then", async () => {
  const { realm, secrets } = await populated();
  const moving = realm.nameOn(1, "client", 2);
  const token = await begin(realm.shard(0), realm.shard(1));
  const now = Date.now();
  vi.spyOn(Date, "now").mockImplementation(() => now + 6_000);
  secrets.set(moving, (await realm.rotate(moving)).secret);
  await expect(stepOf(realm.stub, "finishGiving", token)).rejects.toThrow(/over/);
  vi.restoreAllMocks();
  await realm.grow(2);
  await expectWhole(realm, secrets);
});

describe("a Worker that counts too few shards", () => {
  test("is sent on by the object that it asks, unless that is the home all the same", async () => {
    const realm = await ShardedRealm.of(3);
    const ask = async (shard: number, name: string): Promise<Response> => {
      const admission = { realm: realm.name, name };
      const format = subprotocols.native;
      const told = { admission, session: newSession(), instance: "", resumes: true, format };
      const response = await realm.shard(shard).fetch(upgradeRequest(told, 1));
      response.webSocket?.accept();
      response.webSocket?.close();
      return response;
    };
    const moved = await ask(0, realm.nameOn(2));
    expect([moved.status, moved.headers.get("mp-shards")]).toEqual([421, "3"]);
    expect((await ask(0, realm.nameOn(0))).status).toBe(101);
    expect((await ask(1, realm.nameOn(1))).status).toBe(101);
    expect(await realm.stub.wouldAdmit({ realm: realm.name, name: realm.nameOn(1) }, undefined, 1)).toEqual({
      shards: 3,
    });
  });

  test("finds no home in an object that is yet to be filled", async () => {
    const { realm } = await populated();
    const [name, added] = [realm.nameOn(1, "client", 2), realm.shard(1)];
    await begin(realm.shard(0), added);
    expect(await added.wouldAdmit({ realm: realm.name, name }, undefined, 1)).toEqual({ shards: 1 });
    const untouched = realm.shard(5);
    expect(await untouched.wouldAdmit({ realm: realm.name, name }, undefined, 6)).toEqual({ shards: 1 });
  });
});

test("a realm's shards don't become fewer", async () => {
  const realm = await ShardedRealm.of(3);
  expect((await setShards(realm, 3)).status).toBe(200);
  const detail = await expectProblem(await setShards(realm, 2), 409, "too-few-shards");
  expect(detail).toBe("The realm has 3 shards already, and their number can't be made smaller");
  expect(await realm.layout()).toEqual({ shards: 3 });
});

test.each([0, -1, 65, 1025, "four", "4", 1.5, null, undefined, [2]])(
  "a realm doesn't get %j shards",
  async (shards) => {
    const realm = new Realm();
    await expectProblem(await setShards(realm, shards), 400, "bad-request");
    expect(await (await admin(`/realms/${realm.name}/shards`)).json()).toEqual({ shards: 1 });
  },
);

test("a realm remembers where its new shards are to be made", async () => {
  const realm = new ShardedRealm();
  const put = async (body: object): Promise<Response> =>
    await admin(`/realms/${realm.name}/shards`, { method: "PUT", body: JSON.stringify(body) });
  await expectProblem(await put({ shards: 2, location: "atlantis" }), 400, "bad-request");
  await expectProblem(await put({ location: "weur" }), 400, "bad-request");
  expect((await put({ shards: 2, location: "weur" })).status).toBe(202);
  await expect.poll(() => realm.layout()).toEqual({ shards: 2, location: "weur" });
  expect(await (await put({ shards: 2, location: "eeur" })).json()).toMatchObject({ shards: 2, location: "eeur" });
});

test.each(["four", 0, 65, 2.5, null, {}])("an object whose layout is %j lets nobody in", async (damaged) => {
  const realm = await ShardedRealm.of(2);
  const name = realm.nameOn(1);
  const { secret } = await realm.add(name);
  await runInDurableObject(realm.shard(1), (_, { storage }) => {
    storage.kv.put("shards", damaged);
  });
  await evictDurableObject(realm.shard(1), { webSockets: "close" });
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
  expect(await statusOf(realm, name, secret)).toBe(503);
  const other = realm.nameOn(0);
  expect(await statusOf(realm, other, (await realm.add(other)).secret)).toBe(101);
});
