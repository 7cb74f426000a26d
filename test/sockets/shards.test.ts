import { createHash, randomBytes } from "node:crypto";
import type { Connection, Message } from "messagepasser";
import { afterAll, describe, expect, test } from "vitest";
import { addClient, addKey, setShards, usageOf } from "../../scripts/admin-client.ts";
import { type Router, startRouter } from "../../scripts/router.ts";
import { nameOn } from "../support/shard-names.ts";
import { claimsOf, tokenOf } from "../support/tokens.ts";
import { mp } from "./cli-mp.ts";
import { type Side, startSide } from "./side.ts";

// Unmodified clients in a realm of several shards, each with its home on another one.

const routers: Router[] = [];

afterAll(async () => {
  await Promise.all(routers.map((router) => router[Symbol.asyncDispose]()));
});

interface Shards {
  readonly router: Router;
  readonly count: number;
  side(shard: number, start: string): Promise<Side>;
}

async function shardsOf(count: number): Promise<Shards> {
  const router = await startRouter();
  routers.push(router);
  await setShards(router, count);
  const realm = { router, secretOf: (name: string) => addClient(router, name) };
  return { router, count, side: (shard, start) => startSide(realm, nameOn(shard, start, count)) };
}

async function pair(from: Side, to: Side): Promise<[Connection, Connection]> {
  const there = Promise.withResolvers<Connection>();
  to.client.handle("pair", (connection) => {
    there.resolve(connection);
  });
  return await Promise.all([from.client.open(to.client.name, "pair"), there.promise]);
}

function digest(message: Message | undefined): string {
  return createHash("sha256")
    .update(message ?? "")
    .digest("hex");
}

/** Sends a message that is larger than any window in each direction, with a half-close behind it, while something happens. */
async function transferWhile(happens: () => Promise<void>, ends: readonly [Connection, Connection]): Promise<void> {
  const way = async (from: Connection, to: Connection): Promise<void> => {
    const bytes = new Uint8Array(randomBytes(4_000_000));
    const sent = from.send(bytes).then(() => from.end());
    expect(digest(await to.receive())).toBe(digest(bytes));
    await sent;
    expect(await to.receive()).toBeUndefined();
  };
  await Promise.all([way(ends[0], ends[1]), way(ends[1], ends[0]), happens()]);
  expect(await Promise.all(ends.map(({ closed }) => closed))).toEqual([undefined, undefined]);
}

describe.each([2, 4])("a realm of %d shards", (count) => {
  test("what clients of different shards send each other arrives whole, though links are cut and objects are reset", async () => {
    const shards = await shardsOf(count);
    await using alice = await shards.side(0, "alice");
    await using bob = await shards.side(count - 1, "bob");
    const cut = async (side: Side): Promise<void> => {
      side.path.break();
      await side.statuses.next("offline");
      side.path.mend();
      await side.statuses.next("resumed");
    };
    await transferWhile(async () => undefined, await pair(alice, bob));
    await transferWhile(() => cut(alice), await pair(alice, bob));
    await transferWhile(() => cut(bob), await pair(bob, alice));
    for (const shard of [0, count - 1])
      await transferWhile(() => shards.router.evict("close", shard), await pair(alice, bob));
    await shards.router.evict("hibernate", 0);
    await shards.router.evict("hibernate", count - 1);
    await transferWhile(async () => undefined, await pair(bob, alice));
    const { calls, callMessages } = await usageOf(shards.router);
    expect(Math.min(calls, callMessages)).toBeGreaterThan(0);
  });

  test("an open waits for a peer of another shard that isn't there yet", async () => {
    const shards = await shardsOf(count);
    await using alice = await shards.side(0, "alice");
    const name = nameOn(1, "bob", count);
    const opened = alice.client.open(name, "late", { waitMs: 30_000 });
    await using bob = await shards.side(1, "bob");
    const there = Promise.withResolvers<Connection>();
    bob.client.handle("late", (connection) => {
      there.resolve(connection);
    });
    const connection = await opened;
    await connection.send("here");
    expect(await (await there.promise).receive()).toBe("here");
    expect((await alice.client.peers()).sort()).toEqual([alice.client.name, name].sort());
  });

  test("holders of tokens talk across shards, and their revocation ends their links on each", async () => {
    const shards = await shardsOf(count);
    const key = await addKey(shards.router, "shop");
    const secretOf = async (name: string): Promise<string> =>
      await Promise.resolve(tokenOf(claimsOf(name.slice("+shop/".length), { mp: { serve: ["*"] } }), key));
    const holder = (shard: number): Promise<Side> =>
      startSide({ router: shards.router, secretOf }, nameOn(shard, "+shop/user", count));
    await using ann = await holder(0);
    await using ben = await holder(count - 1);
    await using carol = await shards.side(count - 1, "carol");
    await transferWhile(async () => undefined, await pair(ann, ben));
    await transferWhile(async () => undefined, await pair(ann, carol));
    const owner = { MP_URL: shards.router.url.href, MP_ADMIN_TOKEN: shards.router.adminToken };
    const startMs = performance.now();
    const { text, stderr } = await mp(["token", "revoke", "--key", "shop", "--json"], owner);
    for (const { client } of [ann, ben]) expect(await client.closed).toMatchObject({ code: "revoked" });
    console.log(`Revoked, and all links closed, in ${Math.round(performance.now() - startMs)} ms`);
    expect(JSON.parse(text)).not.toHaveProperty("unconfirmedShards");
    expect(stderr).toBe("");
    expect(await carol.client.peers()).toEqual([carol.client.name]);
  });
});

test("a realm grows from one shard to four while clients talk, and no Connection is lost", async () => {
  const shards = await shardsOf(1);
  const names = [0, 1, 2, 3].map((shard) => nameOn(shard, "client", 4));
  const realm = { router: shards.router, secretOf: (name: string) => addClient(shards.router, name) };
  await using stack = new AsyncDisposableStack();
  const sides: Side[] = [];
  for (const name of names) sides.push(stack.use(await startSide(realm, name)));
  const transfers = async (happens: () => Promise<void>): Promise<void> => {
    const pairs: Promise<[Connection, Connection]>[] = [];
    for (const [at, side] of sides.entries()) {
      const next = sides[(at + 1) % sides.length];
      if (next !== undefined) pairs.push(pair(side, next));
    }
    const [first, ...others] = await Promise.all(pairs);
    if (first === undefined) throw new Error("There are no pairs");
    await Promise.all([
      transferWhile(happens, first),
      ...others.map((ends) => transferWhile(async () => undefined, ends)),
    ]);
  };
  for (const count of [2, 3, 4]) await transfers(() => setShards(shards.router, count));
  expect((await sides[0]?.client.peers())?.sort()).toEqual(names.sort());
});

test("mp realm shards shows how many shards a realm has, and gives it more", async () => {
  const router = await startRouter();
  routers.push(router);
  const owner = { MP_URL: router.url.href, MP_REALM: "fleet", MP_ADMIN_TOKEN: router.adminToken };
  expect(await mp(["realm", "shards"], owner)).toMatchObject({ status: 0, text: "1\n" });
  expect(await mp(["realm", "shards", "3"], owner)).toMatchObject({ status: 0, text: "3\n" });
  const clients = ["ann", "ben", "cleo", "dan"];
  for (const name of clients) expect(await mp(["client", "add", name], owner)).toMatchObject({ status: 0 });
  const { text } = await mp(["client", "list", "--json"], owner);
  expect((JSON.parse(text) as { name: string }[]).map(({ name }) => name)).toEqual(clients);
  for (const wrong of [["four"], ["0"], ["1025"], ["--location", "weur"], ["4", "--location", "atlantis"]])
    expect(await mp(["realm", "shards", ...wrong], owner)).toMatchObject({ status: 2 });
  expect(await mp(["realm", "shards", "2"], owner)).toMatchObject({
    status: 1,
    stderr: "mp: The realm has 3 shards already, and their number can't be made smaller\n",
  });
  expect(await mp(["key", "add", "shop"], owner)).toMatchObject({ status: 0 });
  expect(await mp(["client", "revoke", "ann"], owner)).toMatchObject({ status: 0 });
  const audit = JSON.parse((await mp(["audit", "--json"], owner)).text) as { what: string; name: string }[];
  expect(audit.filter(({ what }) => what === "revoke")).toMatchObject([{ name: "ann" }]);
  expect(audit).toHaveLength(1 + clients.length + 2);
  expect(JSON.parse((await mp(["realm", "shards", "5", "--json"], owner)).text)).toEqual({
    realm: "fleet",
    shards: 5,
    target: null,
    location: null,
    unconfirmedShards: null,
  });
  const { text: after } = await mp(["client", "list", "--json"], owner);
  expect((JSON.parse(after) as { name: string }[]).map(({ name }) => name)).toEqual(["ben", "cleo", "dan"]);
});
