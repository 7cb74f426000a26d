import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { type Router, startRouter } from "../../scripts/router.ts";
import { directory, type Environment, mp, start } from "./cli-mp.ts";

// A realm's owner at work with the command, and a client with an invitation. Each test has its own realm.

let router: Router;

beforeAll(async () => {
  router = await startRouter();
});

afterAll(async () => {
  await router[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

/** A realm's owner and clients, by the environments that make the command theirs. */
async function realmOf(
  realm: string,
  ...names: readonly string[]
): Promise<{ owner: Environment; of: (name: string) => Environment }> {
  const there = { MP_URL: router.url.href, MP_REALM: realm };
  const owner = { ...there, MP_ADMIN_TOKEN: router.adminToken };
  const secrets = new Map<string, string>();
  for (const name of names) secrets.set(name, (await mp(["client", "add", name], owner)).text.trim());
  return { owner, of: (name) => ({ ...there, MP_NAME: name, MP_SECRET: secrets.get(name) ?? "" }) };
}

describe("mp rule", () => {
  test("mp rule sets, shows and tests rules, which then hold", async () => {
    const { owner, of } = await realmOf("ruled", "alice", "bob");
    expect(await mp(["rule", "show"], owner)).toMatchObject({ status: 0, text: "" });
    const file = join(directory, "rules.txt");
    writeFileSync(file, "allow alice -> bob : files\ndefault closed\n");
    expect(await mp(["rule", "set", file], owner)).toMatchObject({
      status: 0,
      stderr: "mp: The new rules are in force\n",
    });
    expect(await mp(["rule", "show"], owner)).toMatchObject({ text: "allow alice -> bob : files\ndefault closed\n" });
    const yes = { status: 0, text: "yes: line 1: allow alice -> bob : files\n" };
    expect(await mp(["rule", "test", "alice", "bob", "files"], owner)).toMatchObject(yes);
    expect(await mp(["rule", "test", "bob", "alice", "files"], owner)).toMatchObject({
      status: 5,
      text: "no: line 2: default closed\n",
    });
    const { text } = await mp(["rule", "test", "bob", "alice", "files", "--json"], owner);
    expect(JSON.parse(text)).toEqual({ isAllowed: false, line: 2, text: "default closed" });
    const refused = await mp(["connect", "bob", "chat"], of("alice"));
    expect(refused).toMatchObject({ status: 5, stderr: expect.stringContaining("Line 2 of the realm's rules") });
  });

  test("mp rule set takes a text without rules for a mistake, unless it is told to remove them", async () => {
    const { owner } = await realmOf("emptied");
    expect(await mp(["rule", "set", "-"], owner, "default closed\n")).toMatchObject({ status: 0 });
    for (const input of ["", "\n \n", "# only a comment\n"])
      expect(await mp(["rule", "set", "-"], owner, input)).toMatchObject({
        status: 2,
        stderr: expect.stringContaining("has no rules: give --empty to remove all rules of the realm"),
      });
    expect(await mp(["rule", "show"], owner)).toMatchObject({ text: "default closed\n" });
    expect(await mp(["rule", "set", "-", "--empty"], owner)).toMatchObject({ status: 0 });
    expect(await mp(["rule", "show"], owner)).toMatchObject({ text: "" });
  });

  test("mp rule names the line that can't be parsed, and leaves the rules as they were", async () => {
    const { owner } = await realmOf("misruled");
    const bad = await mp(["rule", "set", "-"], owner, Buffer.from("allow alice\n"));
    expect(bad).toMatchObject({ status: 2, stderr: expect.stringContaining("Line 1: a rule is written") });
    expect(await mp(["rule", "show"], owner)).toMatchObject({ text: "" });
    const missing = await mp(["rule", "set", join(directory, "none.txt")], owner);
    expect(missing).toMatchObject({ status: 2, stderr: expect.stringContaining("Cannot read the rules from") });
  });
});

describe("mp invite and mp join", () => {
  test("mp invite and mp join let a guest do what its invitation allows, once", async () => {
    const { of } = await realmOf("guests", "alice", "bob");
    const invited = await mp(["invite", "printer", "bob", "files", "--for", "1h"], of("alice"));
    expect(invited).toMatchObject({
      status: 0,
      stderr: expect.stringContaining('"alice/printer" may open "files" to "bob"'),
    });
    const listening = start(["listen", "files"], of("bob"));
    listening.child.stdin.end();
    await listening.says("Listening");
    const { MP_URL = "", MP_REALM = "" } = of("alice");
    const guest = { MP_URL, MP_REALM, MP_INVITATION: invited.text.trim() };
    expect(await mp(["join"], guest, Buffer.from("from a guest"))).toMatchObject({ status: 0, stderr: "" });
    expect((await listening.done).text).toBe("from a guest");
    expect(await mp(["join"], guest)).toMatchObject({ status: 3 });
    expect(await mp(["join"], { ...guest, MP_INVITATION: "mpi_nonsense" })).toMatchObject({
      status: 2,
      stderr: "mp: The invitation can't be read: give the whole line that mp invite printed\n",
    });
  });

  test("a guest that mp invite lets only serve listens by its invitation, and its host opens to it", async () => {
    const { of } = await realmOf("serving", "alice");
    const invited = await mp(["invite", "worker", "--serve", "build", "--serve", "test/*"], of("alice"));
    expect(invited).toMatchObject({
      status: 0,
      stderr: expect.stringContaining('"alice/worker" may serve "build", "test/*" until'),
    });
    const listening = start(["listen", "test/a"], {
      ...of("alice"),
      MP_NAME: "alice/worker",
      MP_SECRET: invited.text.trim(),
    });
    listening.child.stdin.end();
    await listening.says("Listening");
    expect(await mp(["connect", "alice/worker", "test/a"], of("alice"), Buffer.from("do it"))).toMatchObject({
      status: 0,
    });
    expect((await listening.done).text).toBe("do it");
    const joined = await mp(["join"], { ...of("alice"), MP_INVITATION: invited.text.trim() });
    expect(joined).toMatchObject({ status: 2, stderr: expect.stringContaining("the guest only serves") });
    const half = await Promise.all([
      mp(["invite", "worker"], of("alice")),
      mp(["invite", "worker", "bob"], of("alice")),
    ]);
    for (const { status, stderr } of half)
      expect([status, stderr]).toEqual([
        2,
        expect.stringContaining("Give a peer and a protocol, or what the guest serves"),
      ]);
  });

  test("the router's clock decides about an invitation, and not the clock of the machine that joins", async () => {
    const { of } = await realmOf("clocks", "alice", "bob");
    const [long, short] = await Promise.all(
      ["12h", "1ms"].map((time) => mp(["invite", `of ${time}`, "bob", "files", "--for", time], of("alice"))),
    );
    const listening = start(["listen", "files"], of("bob"));
    listening.child.stdin.end();
    await listening.says("Listening");
    const fast = "data:text/javascript,const now = Date.now; Date.now = () => now() + 28 * 3600000";
    const { MP_URL = "", MP_REALM = "" } = of("alice");
    const guest = { MP_URL, MP_REALM, NODE_OPTIONS: `--import="${fast}"` };
    const late = await mp(["join"], { ...guest, MP_INVITATION: short?.text.trim() ?? "" });
    expect([late.status, late.stderr]).toEqual([
      3,
      expect.stringContaining("by this machine's clock, the invitation expired"),
    ]);
    const joined = await mp(["join"], { ...guest, MP_INVITATION: long?.text.trim() ?? "" }, Buffer.from("in time"));
    expect([joined.status, joined.stderr, (await listening.done).text]).toEqual([0, "", "in time"]);
  });

  test("mp invite and mp join need a valid secret, time and choice", async () => {
    const { of } = await realmOf("senseless", "alice");
    const outcomes = await Promise.all([
      mp(["invite", "a/b", "bob", "files"], of("alice")),
      mp(["invite", "guest", "bob", "files", "--for", "soon"], of("alice")),
      mp(["invite", "guest", "bob", "files"], { ...of("alice"), MP_SECRET: "swordfish" }),
      mp(["join"], { MP_URL: router.url.href }),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual([2, 2, 2, 2]);
    const wide = await mp(["invite", "guest", "*", "files"], of("alice"));
    const choice = await mp(["join"], { MP_URL: router.url.href, MP_INVITATION: wide.text.trim() });
    expect(choice).toMatchObject({ status: 2, stderr: expect.stringContaining('any peer like "*": give the peer') });
  });
});

test("mp realm restart ends the realm's links, whose clients reconnect, and the audit trail says so", async () => {
  const { owner, of } = await realmOf("restarted", "alice");
  const listening = start(["listen", "x"], of("alice"));
  await listening.says("Listening");
  expect(await mp(["realm", "restart"], owner)).toMatchObject({
    status: 0,
    text: "",
    stderr: 'mp: Restarted realm "restarted"\n',
  });
  await listening.says("The link to the router is back");
  const { status, text } = await mp(["realm", "restart", "--json"], owner);
  expect([status, JSON.parse(text)]).toEqual([0, { realm: "restarted", isRestarted: true }]);
  expect((await mp(["audit"], owner)).text).toMatch(/ restart /);
  expect(await mp(["realm", "restart"], { ...owner, MP_ADMIN_TOKEN: "wrong" })).toMatchObject({ status: 3 });
  listening.child.kill();
  await listening.done;
});

test("mp usage prints a realm's usage, for tokens that may read it", async () => {
  const { owner, of } = await realmOf("used", "alice");
  expect(await mp(["peers"], of("alice"))).toMatchObject({ status: 0 });
  const { status, text } = await mp(["usage", "--json"], owner);
  expect(status).toBe(0);
  // One client added, one list asked for.
  expect(JSON.parse(text)).toEqual({
    since: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    messagesIn: expect.toSatisfy((count: number) => count >= 1 && count <= 3),
    bytesIn: expect.toSatisfy((bytes: number) => bytes > 8),
    messagesOut: expect.toSatisfy((count: number) => count >= 2),
    bytesOut: expect.toSatisfy((bytes: number) => bytes > 8),
    upgrades: 1,
    tickets: 0,
    messagesAfterClose: 0,
    calls: 0,
    callMessages: 0,
    unclosed: [],
    adminCalls: 2,
    alarms: 0,
    wakes: 1,
    awakeMs: expect.toSatisfy((ms: number) => ms >= 10_000),
    asleepMs: 0,
  });
  const told = await mp(["usage"], owner);
  expect(told).toMatchObject({ status: 0, text: expect.stringMatching(/^clients admitted or refused +1$/m) });
  expect(told.text).toMatch(/^calls to the admin API +3$/m);
  // One upgrade, three calls, and a message or more, of which 20 are a request.
  expect(told.text).toMatch(/^requests without heartbeats +5$/m);
  expect(await mp(["usage"], { ...owner, MP_ADMIN_TOKEN: "wrong" })).toMatchObject({ status: 3 });
  expect(await mp(["usage"], of("alice"))).toMatchObject({ status: 2 });
});

test("mp client rotate names its flag when the old secret is to stay valid for too long", async () => {
  const { owner } = await realmOf("overlapping", "alice");
  const { status, stderr } = await mp(["client", "rotate", "alice", "--overlap", "31d"], owner);
  expect([status, stderr]).toEqual([2, expect.stringMatching(/'--overlap <duration>'.*Give at most 30d\./)]);
  const late = await mp(["client", "rotate", "alice", "--expires", "2001-01-01"], owner);
  expect([late.status, late.stderr]).toEqual([
    2,
    expect.stringContaining("mp: --expires must be a time in the future"),
  ]);
});

test("the router's clock decides whether a secret has expired, and not the clock of the owner's machine", async () => {
  const server = createServer((_, response) => {
    response.writeHead(200, { "content-type": "application/json", date: "Tue, 01 Jan 2041 00:00:00 GMT" });
    const client = { name: "alice", secretId: "0", revision: 1, changedAt: "2026-01-01T00:00:00.000Z" };
    response.end(JSON.stringify({ clients: [{ ...client, expiresAt: "2040-01-01T00:00:00.000Z" }] }));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as { readonly port: number };
  const environment = { MP_URL: `ws://127.0.0.1:${port}`, MP_ADMIN_TOKEN: "x" };
  expect(await mp(["client", "list"], environment)).toMatchObject({
    status: 0,
    text: expect.stringContaining("expired 2040-01-01T00:00:00.000Z"),
  });
});

test("mp names the shards that have not confirmed a change, for people and for programs", async () => {
  const key = { id: "shop", algorithm: "HS256", source: "made", audiences: [], maxLifeS: 60, revokedBefore: null };
  const server = createServer((request, response) => {
    const answer = {
      ...key,
      addedAt: "2026-01-01T00:00:00.000Z",
      unconfirmedShards: request.method === "PUT" ? [2] : [1, 3],
    };
    response.writeHead(202, { "content-type": "application/json" }).end(JSON.stringify(answer));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as { readonly port: number };
  const owner = { MP_URL: `ws://127.0.0.1:${port}`, MP_ADMIN_TOKEN: "x" };
  const rules = join(directory, "unconfirmed.txt");
  writeFileSync(rules, "default closed");
  const [revoked, removed, told] = await Promise.all([
    mp(["token", "revoke", "--key", "shop"], owner),
    mp(["key", "remove", "shop", "--json"], owner),
    mp(["rule", "set", rules], owner),
  ]);
  expect(revoked).toMatchObject({
    status: 0,
    stderr: expect.stringContaining("mp: Shards 1, 3 have not confirmed the last change"),
  });
  expect([removed.status, JSON.parse(removed.text)]).toEqual([
    0,
    { id: "shop", isRemoved: true, unconfirmedShards: [1, 3] },
  ]);
  expect(told).toMatchObject({
    status: 0,
    stderr: expect.stringContaining("mp: Shard 2 has not confirmed the last change"),
  });
});

test("mp client disable, enable and rotate --overlap do what they say, and mp audit lists them", async () => {
  const { owner, of } = await realmOf("owned", "alice");
  const peers = async (): Promise<number | null> => (await mp(["peers"], of("alice"))).status;
  expect(await peers()).toBe(0);
  expect(await mp(["client", "disable", "alice"], owner)).toMatchObject({ status: 0 });
  expect(await peers()).toBe(3);
  expect(await mp(["client", "enable", "alice"], owner)).toMatchObject({ status: 0 });
  expect(await peers()).toBe(0);
  expect(await mp(["client", "rotate", "alice", "--overlap", "10m"], owner)).toMatchObject({ status: 0 });
  expect(await peers()).toBe(0);
  expect(await mp(["client", "rotate", "alice", "--expires", "2040-01-01"], owner)).toMatchObject({ status: 0 });
  expect(await peers()).toBe(3);
  const { text } = await mp(["audit", "--json"], owner);
  const told = (JSON.parse(text) as { what: string; name: string }[]).map(({ what, name }) => `${what} ${name}`);
  expect(told).toEqual(["rotate alice", "rotate alice", "enable alice", "disable alice", "add alice"]);
});

describe("mp key and mp token", () => {
  test("the holder of a token that mp token mint signed connects, and is refused once mp token revoke has named it", async () => {
    const { owner, of } = await realmOf("tokens", "bob");
    const { MP_URL = "", MP_REALM = "" } = owner;
    const added = await mp(["key", "add", "shop"], owner);
    expect(added).toMatchObject({ status: 0, stderr: expect.stringContaining('Added key "shop"') });
    const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const pem = join(directory, "shop.pem");
    writeFileSync(pem, pair.publicKey.export({ type: "spki", format: "pem" }));
    const own = [
      "key",
      "add",
      "forum",
      "--public-key-file",
      pem,
      "--audience",
      "messages",
      "--max-life",
      "2h",
      "--json",
    ];
    expect(JSON.parse((await mp(own, owner)).text)).toMatchObject({
      id: "forum",
      algorithm: "ES256",
      source: "public",
      audiences: ["messages"],
      maxLifeS: 7_200,
    });
    const keys = JSON.parse((await mp(["key", "list", "--json"], owner)).text) as { id: string }[];
    expect(keys.map(({ id }) => id)).toEqual(["forum", "shop"]);
    const privateKey = String(pair.privateKey.export({ type: "pkcs8", format: "pem" }));
    for (const [key, secret, ...flags] of [
      ["shop", added.text.trim(), "--open", "bob:files"],
      ["forum", privateKey, "--audience", "messages"],
    ] as const) {
      const minted = await mp(["token", "mint", key, "ann", ...flags], { MP_TOKEN_KEY: secret });
      expect(minted).toMatchObject({ status: 0, stderr: expect.stringContaining(`"+${key}/ann" may connect until`) });
      const listening = start(["listen", "files"], of("bob"));
      listening.child.stdin.end();
      await listening.says("Listening");
      const ann = { MP_URL, MP_REALM, MP_NAME: `+${key}/ann`, MP_SECRET: minted.text.trim() };
      expect(await mp(["connect", "bob", "files"], ann, Buffer.from(key))).toMatchObject({ status: 0 });
      expect((await listening.done).text).toBe(key);
      expect(await mp(["token", "revoke", "--name", `+${key}/ann`], owner)).toMatchObject({ status: 0 });
      expect(await mp(["connect", "bob", "files"], ann)).toMatchObject({
        status: 3,
        stderr: expect.stringContaining("The token or its key was revoked: get a new one"),
      });
    }
    const before = ["token", "revoke", "--key", "shop", "--before", "2020-01-31T12:00:00Z", "--json"];
    expect(JSON.parse((await mp(before, owner)).text)).toMatchObject({ revokedBefore: "2020-01-31T12:00:00.000Z" });
    expect(await mp(["key", "remove", "shop"], owner)).toMatchObject({ status: 0, stderr: 'mp: Removed key "shop"\n' });
    expect(await mp(["key", "remove", "shop"], owner)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('There is no key "shop" in this realm'),
    });
    expect(await mp(["token", "revoke"], owner)).toMatchObject({ status: 2 });
    expect(await mp(["token", "mint", "shop", "ann"], { MP_TOKEN_KEY: "-----BEGIN nonsense" })).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("The key can't sign"),
    });
  });
});
