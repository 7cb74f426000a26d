import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { closeCodes, errorCodes, routerLimits } from "@messagepasser/protocol";
import type { NewTokenKey, TokenKeyInfo, Unconfirmed } from "@messagepasser/protocol/admin";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { KeyStore } from "../../src/credentials/key-store.ts";
import { RouterObject } from "../../src/router-object.ts";
import { shardNamed } from "../../src/shards/object-name.ts";
import { openTo } from "../support/batches.ts";
import { basic, newSession } from "../support/credentials.ts";
import type { SegmentLink } from "../support/readings.ts";
import { claimsOf, tokenOf } from "../support/tokens.ts";
import { expectTalk, pairUp } from "./pairs.ts";
import { admin, expectProblem, pepper } from "./realm.ts";
import { ShardedRealm } from "./sharded-realm.ts";
import { upgrade } from "./upgrade.ts";

const byTest = { who: "test", shards: 2 } as const;

// All shards of a realm share its rules, and the keys and revocations of its tokens.

const revoked = { code: closeCodes.revoked, reason: "The token or its key was revoked" };

async function keyOf(realm: ShardedRealm, status = 201): Promise<NewTokenKey & Unconfirmed> {
  const body = JSON.stringify({ id: "shop" });
  const response = await admin(`/realms/${realm.name}/keys`, { method: "POST", body });
  expect(response.status).toBe(status);
  return response.json();
}

async function revoke(realm: ShardedRealm, which: object, status = 200): Promise<TokenKeyInfo & Unconfirmed> {
  const body = JSON.stringify(which);
  const response = await admin(`/realms/${realm.name}/tokens/revoke`, { method: "POST", body });
  expect(response.status).toBe(status);
  return response.json();
}

async function setRules(realm: ShardedRealm, rules: string): Promise<Response> {
  return await admin(`/realms/${realm.name}/rules`, { method: "PUT", body: rules });
}

/** The token of a holder whose home is a shard, with the holder's name. */
function holderOn(realm: ShardedRealm, shard: number, key: string): { name: string; token: string } {
  const name = realm.nameOn(shard, "+shop/user");
  const mp = { serve: ["*"] };
  return { name, token: tokenOf(claimsOf(name.slice("+shop/".length), { mp }), key) };
}

/** A holder of a token on each shard, connected. */
async function holdersIn(realm: ShardedRealm, key: string): Promise<SegmentLink[]> {
  const links: SegmentLink[] = [];
  for (let shard = 0; shard < realm.count; shard++) {
    const { name, token } = holderOn(realm, shard, key);
    links.push(await realm.link(name, token));
  }
  return links;
}

async function answerTo({ name, token }: { name: string; token: string }, realm: ShardedRealm): Promise<Response> {
  const response = await upgrade(`/connect/${realm.name}?session=${newSession()}`, {
    authorization: basic(name, token),
  });
  response.webSocket?.accept();
  response.webSocket?.close(1000);
  return response;
}

/** Makes shards deaf for the first one. @param answer what they do when they are told something */
function cutOff(shards: readonly number[], answer: () => Promise<number>): { mend(): void } {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const { takeShared } = RouterObject.prototype;
  const spy = vi.spyOn(RouterObject.prototype, "takeShared");
  // A promise is as good an answer of an object as what it resolves to.
  spy.mockImplementation(function (this: RouterObject, changes) {
    const { shard } = shardNamed((this as unknown as { readonly ctx: DurableObjectState }).ctx.id.name ?? "");
    return shards.includes(shard) ? (answer() as unknown as number) : takeShared.call(this, changes);
  });
  const mend = (): void => {
    spy.mockRestore();
  };
  onTestFinished(() => {
    mend();
    warn.mockRestore();
  });
  return { mend };
}

const unreachable = async (): Promise<number> => await Promise.reject(new Error("The shard can't be reached"));

describe("tokens in a realm of four shards", () => {
  test("holders of one key come in on every shard and talk with each other", async () => {
    const realm = await ShardedRealm.of(4);
    const { secret = "" } = await keyOf(realm);
    const [ann, , ben] = await holdersIn(realm, secret);
    if (ann === undefined || ben === undefined) throw new Error("There are four");
    await expectTalk(ann, ben, await pairUp(ann, ben));
  });

  test("what a token lets its holder open and serve counts on other shards too", async () => {
    const realm = await ShardedRealm.of(4);
    const { secret = "" } = await keyOf(realm);
    const [server, opener] = [realm.nameOn(1, "+shop/server"), realm.nameOn(2, "+shop/opener")];
    const linkOf = async (name: string, mp: object): Promise<SegmentLink> =>
      await realm.link(name, tokenOf(claimsOf(name.slice("+shop/".length), { mp }), secret));
    using ann = await linkOf(server, { serve: ["chat"] });
    using ben = await linkOf(opener, { open: [{ peer: server, protocol: "*" }] });
    using carol = await realm.join(realm.nameOn(3));
    const codeOf = async (from: SegmentLink, protocol: string): Promise<number | undefined> => {
      from.toRouter(openTo(ann.name, { protocol }));
      const answer = await from.hear("routed", "refused");
      return answer.kind === "refused" ? answer.code : undefined;
    };
    expect(await codeOf(ben, "chat")).toBeUndefined();
    expect(await codeOf(ben, "files")).toBe(errorCodes.notAllowed);
    expect(await codeOf(carol, "files")).toBe(errorCodes.notAllowed);
    carol.toRouter(openTo(opener, { protocol: "chat" }));
    // A client that may open nothing to the holder, nor the holder to it, isn't told that it is there.
    expect(await carol.hear("routed", "refused")).toMatchObject({ code: errorCodes.peerAbsent });
  });

  test("the revocation of a key closes the links of its tokens on every shard, and ends the tokens there", async () => {
    const realm = await ShardedRealm.of(4);
    const { secret = "" } = await keyOf(realm);
    const links = await holdersIn(realm, secret);
    const holders = [0, 1, 2, 3].map((shard) => holderOn(realm, shard, secret));
    expect(await revoke(realm, { key: "shop" })).not.toHaveProperty("unconfirmedShards");
    for (const link of links) expect(await link.closedByRouter()).toEqual(revoked);
    for (const holder of holders) await expectProblem(await answerTo(holder, realm), 401, "unauthorized");
  });

  test("the revocation of one holder closes its links only", async () => {
    const realm = await ShardedRealm.of(4);
    const { secret = "" } = await keyOf(realm);
    const links = await holdersIn(realm, secret);
    await revoke(realm, { name: links[2]?.name });
    expect(await links[2]?.closedByRouter()).toEqual(revoked);
    for (const at of [0, 1, 3]) expect(await links[at]?.outcome()).toBe("open");
  });

  test("a key that is removed ends on every shard, and its successor has other tokens", async () => {
    const realm = await ShardedRealm.of(4);
    const { secret = "" } = await keyOf(realm);
    const links = await holdersIn(realm, secret);
    expect((await admin(`/realms/${realm.name}/keys/shop`, { method: "DELETE" })).status).toBe(204);
    for (const link of links) expect(await link.closedByRouter()).toEqual(revoked);
    expect(await (await admin(`/realms/${realm.name}/keys`)).json()).toEqual({ keys: [] });
    const { secret: other = "" } = await keyOf(realm);
    for (const link of await holdersIn(realm, other)) expect(await link.outcome()).toBe("open");
  });

  test("a holder whose shard was not told of the key yet is asked to come again", async () => {
    const realm = await ShardedRealm.of(4);
    const network = cutOff([1], unreachable);
    const { secret = "", unconfirmedShards } = await keyOf(realm, 202);
    expect(unconfirmedShards).toEqual([1]);
    const holder = holderOn(realm, 1, secret);
    await expectProblem(await answerTo(holder, realm), 503, "restarting");
    expect((await answerTo(holderOn(realm, 2, secret), realm)).status).toBe(101);
    network.mend();
    expect(await runDurableObjectAlarm(realm.stub)).toBe(true);
    expect((await answerTo(holder, realm)).status).toBe(101);
  });
});

describe("a shard that does not confirm a change", () => {
  test("it is named within about a second, and is told again until it confirms, though the first shard ends meanwhile", async () => {
    const realm = await ShardedRealm.of(4);
    const { secret = "" } = await keyOf(realm);
    const links = await holdersIn(realm, secret);
    const hanging = Promise.withResolvers<number>();
    const network = cutOff([1, 3], () => hanging.promise);
    const startMs = performance.now();
    expect(await revoke(realm, { key: "shop" }, 202)).toMatchObject({ id: "shop", unconfirmedShards: [1, 3] });
    expect(performance.now() - startMs).toBeLessThan(2 * routerLimits.confirmWithinMs);
    for (const at of [0, 2]) expect(await links[at]?.closedByRouter()).toEqual(revoked);
    for (const at of [1, 3]) expect(await links[at]?.outcome()).toBe("open");
    network.mend();
    hanging.reject(new Error("The first shard has ended"));
    await evictDurableObject(realm.stub, { webSockets: "close" });
    expect(await runDurableObjectAlarm(realm.stub)).toBe(true);
    for (const at of [1, 3]) expect(await links[at]?.closedByRouter()).toEqual(revoked);
  });

  test("the alarm goes on until the shard can be reached", async () => {
    const realm = await ShardedRealm.of(2);
    const network = cutOff([1], unreachable);
    const response = await setRules(realm, "default closed");
    expect(response.status).toBe(202);
    expect(await response.json()).toEqual({ unconfirmedShards: [1] });
    expect(await realm.layout()).toEqual({ shards: 2, unconfirmedShards: [1] });
    const rulesThere = async (): Promise<unknown> =>
      await runInDurableObject(realm.shard(1), (object) => object.administer(byTest, "rulesText"));
    for (let times = 0; times < 3; times++) expect(await runDurableObjectAlarm(realm.stub)).toBe(true);
    expect(await rulesThere()).toBe("");
    network.mend();
    expect(await runDurableObjectAlarm(realm.stub)).toBe(true);
    expect(await rulesThere()).toBe("default closed");
    expect(await realm.layout()).toEqual({ shards: 2 });
    expect(await runDurableObjectAlarm(realm.stub)).toBe(false);
  });

  test("changes that it missed come together, however many they are", async () => {
    const realm = await ShardedRealm.of(2);
    await keyOf(realm);
    const many = routerLimits.maxRevocationsPerCall + 5;
    await runInDurableObject(realm.stub, (_object, { storage }) => {
      const keys = new KeyStore(storage, pepper, realm.name);
      const leastS = Math.floor(Date.now() / 1_000);
      for (let at = 0; at < many; at++) keys.revoke("shop", leastS, `+shop/user-${at}`);
    });
    expect((await setRules(realm, "default closed")).status).toBe(204);
    await runInDurableObject(realm.shard(1), (_object, { storage }) => {
      const keys = new KeyStore(storage, pepper, realm.name);
      expect(keys.revocationsAfter(0, 2 * many)).toHaveLength(many);
      // The first shard copies them to KV.
      expect([keys.uncopiedRevocations(), keys.uncopiedChange]).toEqual([[], undefined]);
    });
  });

  test.each([1_000_000, -1, "many", 0.5])(
    "a shard whose stored version is damaged (%j) takes the next change",
    async (damaged) => {
      const realm = await ShardedRealm.of(2);
      const { secret = "" } = await keyOf(realm);
      const { name, token } = holderOn(realm, 1, secret);
      using link = await realm.link(name, token);
      await runInDurableObject(realm.shard(1), (_object, { storage }) => {
        storage.kv.put("sharedVersion", damaged);
      });
      await revoke(realm, { name });
      expect(await link.closedByRouter()).toEqual(revoked);
    },
  );
});

test("a shard that is added to a realm has the realm's rules, keys and revocations", async () => {
  const realm = await ShardedRealm.of(1);
  const { secret = "" } = await keyOf(realm);
  const [ann, ben] = [realm.nameOn(1, "+shop/ann", 2), realm.nameOn(1, "+shop/ben", 2)];
  const tokenFor = (name: string): string => tokenOf(claimsOf(name.slice("+shop/".length)), secret);
  await revoke(realm, { name: ben });
  expect((await setRules(realm, "default closed")).status).toBe(204);
  await realm.grow(2);
  using link = await realm.link(ann, tokenFor(ann));
  await expectProblem(await answerTo({ name: ben, token: tokenFor(ben) }, realm), 401, "unauthorized");
  link.toRouter(openTo(realm.nameOn(0), { protocol: "chat" }));
  expect(await link.hear("routed", "refused")).toMatchObject({ code: errorCodes.notAllowed });
  await revoke(realm, { key: "shop" });
  expect(await link.closedByRouter()).toEqual(revoked);
});

test("changes of another version of the router are not taken, and come again", async () => {
  const realm = await ShardedRealm.of(2);
  await runInDurableObject(realm.shard(1), (object) => {
    const changes = { form: 2, after: 0, upTo: 9, rules: { text: "default open", changedAt: 9 }, revocations: [] };
    expect(() => object.takeShared(changes)).toThrow("form 2");
  });
  expect((await setRules(realm, "default closed")).status).toBe(204);
  await runInDurableObject(realm.shard(1), async (object) => {
    expect(await object.administer(byTest, "rulesText")).toBe("default closed");
  });
});

test("changes that come twice or late change nothing, and those after a gap are not taken", async () => {
  const realm = await ShardedRealm.of(2);
  for (const rules of ["default open", "default closed"]) await setRules(realm, rules);
  await runInDurableObject(realm.shard(1), async (object) => {
    const rules = { text: "default open", changedAt: 1 };
    expect(object.takeShared({ form: 1, after: 0, upTo: 1, rules, revocations: [] })).toBe(2);
    expect(object.takeShared({ form: 1, after: 5, upTo: 6, rules, revocations: [] })).toBe(2);
    expect(await object.administer(byTest, "rulesText")).toBe("default closed");
  });
});
