import { createHash, randomBytes } from "node:crypto";
import { type Client, type Connection, type ConnectionStatus, LinkError, type Message } from "messagepasser";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { addClient } from "../../scripts/admin-client.ts";
import { failureOf, type Realm, startRealm } from "./realm.ts";
import { RouterProcess } from "./router-process.ts";
import { type Side, startSide } from "./side.ts";

// Links that drop at every moment that matters: Connections go on where they were, or end with a reason at both ends.

let realm: Realm;
let alice: Side;
let bob: Side;

beforeAll(async () => {
  realm = await startRealm();
});

afterAll(async () => {
  await realm[Symbol.asyncDispose]();
});

/** What all sessions are called, so that the next one of a name takes over. */
const instance = "desk";

/** Two clients that are there for one test. */
async function sides(
  options: { readonly alice?: { graceMs: number }; readonly bob?: { graceMs: number } } = {},
  at: Realm = realm,
): Promise<AsyncDisposable> {
  [alice, bob] = await Promise.all([
    startSide(at, "alice", { instance, ...options.alice }),
    startSide(at, "bob", { instance, ...options.bob }),
  ]);
  bob.client.handle("echo", echo);
  return {
    [Symbol.asyncDispose]: async () => {
      await Promise.all([alice[Symbol.asyncDispose](), bob[Symbol.asyncDispose]()]);
    },
  };
}

async function echo(connection: Connection): Promise<void> {
  for await (const message of connection) await connection.send(message);
  await connection.close();
}

/** A Connection from one client to another, and its other end. */
async function pair(from: Client = alice.client, to: Client = bob.client): Promise<[Connection, Connection]> {
  const there = Promise.withResolvers<Connection>();
  to.handle("pair", (connection) => {
    there.resolve(connection);
  });
  return await Promise.all([from.open(to.name, "pair"), there.promise]);
}

/** Handlers of bob's for one open: each that runs adds a Connection, which stays pending until `decide` is called. */
function undecided(client: Client = bob.client): {
  readonly connections: Connection[];
  readonly first: Promise<Connection>;
  readonly decide: () => void;
} {
  const connections: Connection[] = [];
  const first = Promise.withResolvers<Connection>();
  const decision = Promise.withResolvers<undefined>();
  client.handle("undecided", async (connection) => {
    connections.push(connection);
    first.resolve(connection);
    await decision.promise;
  });
  return {
    connections,
    first: first.promise,
    decide: () => {
      decision.resolve(undefined);
    },
  };
}

/** Shows that a Connection carries messages both ways, and that none is left over from before. */
async function expectTalk([here, there]: readonly [Connection, Connection]): Promise<void> {
  await Promise.all([here.send("to you"), there.send("to me")]);
  expect(await Promise.all([there.receive(), here.receive()])).toEqual(["to you", "to me"]);
}

async function expectGoodEnd(...connections: readonly Connection[]): Promise<void> {
  await Promise.all(connections.map((connection) => connection.close()));
  expect(await Promise.all(connections.map(({ closed }) => closed))).toEqual(connections.map(() => undefined));
}

function digest(message: Message | undefined): string {
  return createHash("sha256")
    .update(message ?? "")
    .digest("hex");
}

/** Sends a message that is larger than any window, and shows that it arrives whole, and nothing after it. */
async function transfer(from: Connection, to: Connection): Promise<void> {
  const bytes = new Uint8Array(randomBytes(4_000_000));
  const sent = from.send(bytes).then(() => from.end());
  expect(digest(await to.receive())).toBe(digest(bytes));
  await sent;
  expect(await to.receive()).toBeUndefined();
}

/** What a callback was told, to be waited for. */
class Queue<T> {
  readonly #stream = new TransformStream<T, T>(undefined, undefined, { highWaterMark: Infinity });
  readonly #reader = this.#stream.readable.getReader();
  readonly #writer = this.#stream.writable.getWriter();

  readonly push = (item: T): void => void this.#writer.write(item);

  async next(): Promise<T> {
    const { value } = await this.#reader.read();
    // The stream never ends.
    return value as T;
  }
}

describe("a link that is cut", () => {
  test("an idle link that is cut is reconnected, with the statuses in order", async () => {
    await using _ = await sides();
    const connections = await pair();
    await expectTalk(connections);
    alice.path.break();
    const offline = await alice.statuses.next("offline");
    expect(offline.error).toBeInstanceOf(LinkError);
    expect(offline.error).toMatchObject({
      code: "link-lost",
      message: expect.stringMatching(/^Lost the link to ws:\/\/.* as "alice" in realm "default": /) as string,
    });
    expect(offline.error.shouldRetry()).toBe(true);
    expect(offline.retryInMs).toBeLessThan(500);
    const again = await alice.statuses.next("offline");
    expect(again.error).toMatchObject({ code: "unreachable" });
    expect(again.retryInMs).toBeLessThan(1_000);
    alice.path.mend();
    await alice.statuses.next("resumed");
    await bob.statuses.next("resumed");
    await expectTalk(connections);
    const { kinds, all } = alice.statuses;
    expect(kinds.slice(0, 2)).toEqual(["offline", "offline"]);
    expect(kinds.slice(-2)).toEqual(["online", "resumed"]);
    expect(kinds.filter((kind) => kind !== "offline")).toEqual(["online", "resumed"]);
    expect(all.at(-1)).toEqual({ kind: "resumed", peer: "bob" });
    // The other end is told about the peer alone.
    expect(bob.statuses.all).toEqual([{ kind: "resumed", peer: "alice" }]);
    await expectGoodEnd(...connections);
  });

  test("a Connection says that its peer is away, until when it waits, and that the peer is back", async () => {
    await using _ = await sides({ bob: { graceMs: 60_000 } });
    const [here, there] = await pair();
    const told = { here: new Queue<ConnectionStatus>(), there: new Queue<ConnectionStatus>() };
    here.onStatus = told.here.push;
    there.onStatus = told.there.push;
    const beforeMs = Date.now();
    alice.path.break();
    expect(await told.here.next()).toMatchObject({ kind: "offline" });
    const away = await told.there.next();
    if (away.kind !== "away") throw new Error(`The acceptor was told "${away.kind}"`);
    expect(there.status).toBe(away);
    expect(away.until?.getTime()).toBeGreaterThanOrEqual(beforeMs + 60_000);
    expect(away.until?.getTime()).toBeLessThanOrEqual(Date.now() + 60_000);
    alice.path.mend();
    expect(await Promise.all([told.here.next(), told.there.next()])).toEqual([{ kind: "online" }, { kind: "online" }]);
    await expectTalk([here, there]);
    await expectGoodEnd(here, there);
    expect(await Promise.all([told.here.next(), told.there.next()])).toEqual([{ kind: "closed" }, { kind: "closed" }]);
  });

  test.each([
    ["its sender's", "up", () => alice],
    ["its receiver's", "down", () => bob],
  ] as const)("a message whose link is cut twice, %s link, arrives whole", async (_, direction, side) => {
    await using __ = await sides();
    const [here, there] = await pair();
    const { path, statuses } = side();
    const cuts = (async () => {
      for (let cut = 0; cut < 2; cut++) {
        await path.cutAfter(700_000, direction);
        await statuses.next("resumed");
      }
    })();
    await Promise.all([transfer(here, there), cuts]);
    await transfer(there, here);
    await expectGoodEnd(here, there);
  });

  test("messages in both directions arrive whole when both ends' links are cut at once", async () => {
    await using _ = await sides();
    const [here, there] = await pair();
    const cuts = (async () => {
      await alice.path.cutAfter(700_000, "up");
      bob.path.cut();
      await Promise.all([alice.statuses.next("resumed"), bob.statuses.next("resumed")]);
    })();
    await Promise.all([transfer(here, there), transfer(there, here), cuts]);
    expect(await Promise.all([here.closed, there.closed])).toEqual([undefined, undefined]);
  });

  test("a Connection to oneself goes on after a cut", async () => {
    await using _ = await sides();
    const [here, there] = await pair(alice.client, alice.client);
    const cut = alice.path.cutAfter(700_000, "down");
    await Promise.all([transfer(here, there), transfer(there, here), cut]);
    expect(await Promise.all([here.closed, there.closed])).toEqual([undefined, undefined]);
  });

  test("1,000 Connections go on at once after a cut, each with its own messages", async () => {
    await using _ = await sides();
    const numbers = Array.from({ length: 1_000 }, (_, number) => String(number));
    const connections = await Promise.all(numbers.map(() => alice.client.open("bob", "echo")));
    // Some of the messages are on their way in each direction.
    const sent = Promise.all(connections.map((connection, at) => connection.send(numbers[at] ?? "")));
    alice.path.cut();
    await sent;
    await alice.statuses.next("resumed");
    expect(await Promise.all(connections.map((connection) => connection.receive()))).toEqual(numbers);
    await Promise.all(connections.map((connection) => connection.end()));
    expect(await Promise.all(connections.map((connection) => connection.receive()))).toEqual(
      numbers.map(() => undefined),
    );
    expect(new Set(await Promise.all(connections.map(({ closed }) => closed)))).toEqual(new Set([undefined]));
  });

  test("a client reconnects to a router that was asleep", async () => {
    // Under load workerd may hold a link that was cut for longer than an eviction waits: this router has had none.
    await using fresh = await startRealm();
    await using _ = await sides({}, fresh);
    const connections = await pair();
    await fresh.router.evict("hibernate");
    await expectTalk(connections);
    await fresh.router.evict("hibernate");
    alice.path.cut();
    await alice.statuses.next("resumed");
    await expectTalk(connections);
  });
});

describe("an open", () => {
  test("an open that did not reach the router is sent again", async () => {
    await using _ = await sides();
    const cut = alice.path.cutAfter(10, "up");
    const connection = await alice.client.open("bob", "echo", { first: "hello" });
    await cut;
    expect(await connection.receive()).toBe("hello");
    await connection.end();
    expect(await connection.receive()).toBeUndefined();
  });

  test("an open that is re-sent after a lost link runs its handler once", async () => {
    await using _ = await sides();
    const { connections, first, decide } = undecided();
    alice.path.hold("down");
    const opening = alice.client.open("bob", "undecided", { first: "hello" });
    const there = await first;
    alice.path.cut();
    await bob.statuses.next("resumed");
    decide();
    const here = await opening;
    expect(await there.receive()).toBe("hello");
    await expectTalk([here, there]);
    expect(connections).toEqual([there]);
  });

  test.each([
    ["opener", () => alice],
    ["acceptor", () => bob],
  ] as const)(
    "an open is accepted after a cut of the %s's link, by the handler that had it before",
    async (_, side) => {
      await using __ = await sides();
      const { connections, first, decide } = undecided();
      const opening = alice.client.open("bob", "undecided", { first: "hello" });
      const there = await first;
      // The router's output before its answer covers the open too.
      await alice.client.peers();
      side().path.cut();
      await alice.statuses.next("resumed");
      decide();
      const here = await opening;
      expect(await there.receive()).toBe("hello");
      await expectTalk([here, there]);
      expect(connections).toEqual([there]);
    },
  );

  test("an open whose acceptance was lost is accepted all the same, once", async () => {
    await using _ = await sides();
    const { connections, first, decide } = undecided();
    const opening = alice.client.open("bob", "undecided");
    const there = await first;
    bob.path.hold("up");
    decide();
    await there.send("lost at first");
    bob.path.cut();
    const here = await opening;
    expect(await here.receive()).toBe("lost at first");
    await expectTalk([here, there]);
    expect(connections).toEqual([there]);
  });

  test("an open that is refused while the acceptor is away is refused when it is back, with the reason", async () => {
    await using _ = await sides();
    const { first } = undecided();
    const opening = failureOf(alice.client.open("bob", "undecided"));
    const there = await first;
    bob.path.break();
    await bob.statuses.next("offline");
    there.reject("not today");
    bob.path.mend();
    expect(await opening).toMatchObject({
      code: "rejected",
      message: 'Cannot open "undecided" to "bob": "bob" refused it: "not today"',
    });
  });

  test("an open that was given up while the acceptor was away is over there too when it is back", async () => {
    await using _ = await sides();
    const { first } = undecided();
    const opening = alice.client.open("bob", "undecided", { timeoutMs: 100 });
    const there = await first;
    bob.path.break();
    expect(await failureOf(opening)).toMatchObject({ code: "open-timed-out" });
    bob.path.mend();
    expect(await there.closed).toMatchObject({ code: "open-timed-out" });
  });

  test("an open that one session of a peer got is not handled in its next session", async () => {
    await using _ = await sides();
    const { first } = undecided();
    const opening = failureOf(alice.client.open("bob", "undecided"));
    await first;
    await alice.client.peers();
    alice.path.break();
    await alice.statuses.next("offline");
    await using next = await startSide(realm, "bob", { instance });
    const { connections } = undecided(next.client);
    next.client.handle("echo", echo);
    alice.path.mend();
    expect(await opening).toMatchObject({ code: "peer-gone" });
    await expectEcho(alice.client);
    expect(connections).toEqual([]);
  });

  test("an open without a link waits for one", async () => {
    await using _ = await sides();
    alice.path.break();
    await alice.statuses.next("offline");
    const opening = alice.client.open("bob", "echo", { first: "hello" });
    alice.path.mend();
    expect(await (await opening).receive()).toBe("hello");
  });

  test("an open without a link ends with its timeout, and is told to no peer later", async () => {
    await using _ = await sides();
    const { connections } = undecided();
    alice.path.break();
    await alice.statuses.next("offline");
    const opening = alice.client.open("bob", "undecided", { first: "hello", timeoutMs: 50 });
    expect(await failureOf(opening)).toMatchObject({ code: "open-timed-out" });
    alice.path.mend();
    await alice.statuses.next("online");
    await expectEcho(alice.client);
    expect(connections).toEqual([]);
  });
});

async function expectEcho(client: Client): Promise<void> {
  await using connection = await client.open("bob", "echo", { first: "anybody there?" });
  expect(await connection.receive()).toBe("anybody there?");
}

describe("an end", () => {
  test("an end that is under way when the link is cut comes after all data that was sent before it", async () => {
    await using _ = await sides();
    const [here, there] = await pair();
    const cut = alice.path.cutAfter(300_000, "up");
    const bytes = new Uint8Array(randomBytes(1_000_000));
    const sending = here.send(bytes);
    const closing = here.close();
    expect(digest(await there.receive())).toBe(digest(bytes));
    expect(await there.receive()).toBeUndefined();
    await Promise.all([sending, closing, cut]);
    await expectGoodEnd(there, here);
  });

  test.each(["up", "down"] as const)(
    "an end whose last frames are lost on the way %s is a good one for both sides",
    async (way) => {
      await using _ = await sides();
      const [here, there] = await pair();
      await expectTalk([here, there]);
      bob.path.hold(way);
      await Promise.all([here.close(), there.close()]);
      // The router has had its say on the links that work, so all that bob can hear is held now.
      await alice.client.peers();
      bob.path.cut();
      await expectGoodEnd(here, there);
    },
  );

  test("an abort reaches a peer that is away, when it is back", async () => {
    await using _ = await sides();
    const [here, there] = await pair();
    bob.path.break();
    await bob.statuses.next("offline");
    here.abort("enough");
    bob.path.mend();
    expect(await there.closed).toMatchObject({ code: "aborted", message: expect.stringContaining("enough") as string });
  });

  test("an end that a peer's long absence caused is told to it when it is back", async () => {
    await using _ = await sides({ alice: { graceMs: 100 } });
    const [here, there] = await pair();
    bob.path.break();
    expect(await here.closed).toMatchObject({
      code: "peer-gone",
      message: 'Connection "pair" with "bob": "bob" lost its link and was not back within 0.1 s',
    });
    bob.path.mend();
    expect(await there.closed).toMatchObject({
      code: "peer-gone",
      message: 'Connection "pair" with "alice": "alice" has waited too long for this end to come back',
    });
    // Only this Connection is over.
    await expectTalk(await pair());
  });

  test("an end for lack of a link is told to the peer when there is one again", async () => {
    await using _ = await sides({ alice: { graceMs: 100 } });
    const [here, there] = await pair();
    alice.path.break();
    expect(await here.closed).toMatchObject({
      code: "link-lost",
      message: expect.stringContaining("no link to the router for 0.1 s") as string,
    });
    alice.path.mend();
    expect(await there.closed).toMatchObject({ code: "peer-gone" });
    await expectTalk(await pair());
  });

  test("an end because the peer began a new session is told at once", async () => {
    await using _ = await sides();
    const [here] = await pair();
    alice.path.break();
    await alice.statuses.next("offline");
    await using next = await startSide(realm, "bob", { instance });
    next.client.handle("echo", echo);
    expect(await bob.client.closed).toMatchObject({ code: "superseded" });
    alice.path.mend();
    expect(await here.closed).toMatchObject({
      code: "peer-gone",
      message: expect.stringContaining("was replaced by another session") as string,
    });
    await expectTalk(await pair(alice.client, next.client));
  });
});

describe("a client without a link", () => {
  test("a client without a link lists its peers when it has one again, or when its timeout ends", async () => {
    await using _ = await sides();
    alice.path.break();
    await alice.statuses.next("offline");
    const listing = alice.client.peers();
    const controller = new AbortController();
    const impatient = failureOf(alice.client.peers({ signal: controller.signal }));
    const reason = new Error("enough");
    controller.abort(reason);
    expect(await impatient).toBe(reason);
    alice.path.mend();
    expect(await listing).toEqual(["alice", "bob"]);
  });

  test("a client without a link is closed at once when it has nothing left to send", async () => {
    await using _ = await sides();
    const [here] = await pair();
    alice.path.break();
    await alice.statuses.next("offline");
    const started = performance.now();
    await alice.client.close();
    // Well below the deadline that a client has which owes something.
    expect(performance.now() - started).toBeLessThan(2_000);
    expect(await alice.client.closed).toBeUndefined();
    expect(await here.closed).toMatchObject({ code: "closed" });
    expect(await failureOf(alice.client.open("bob", "echo"))).toMatchObject({ code: "closed" });
  });

  test("a client without a link hands over its data before it closes, if it gets one in time", async () => {
    await using _ = await sides();
    const [here, there] = await pair();
    alice.path.break();
    await alice.statuses.next("offline");
    const sending = here.send("last words");
    const closing = alice.client.close();
    alice.path.mend();
    expect(await there.receive()).toBe("last words");
    await Promise.all([sending, closing]);
    expect(await there.closed).toMatchObject({ code: "peer-gone" });
  });

  test("a client without a link ends when it comes back with a secret that was revoked meanwhile", async () => {
    await using _ = await sides();
    await using carol = await startSide(realm, "carol");
    const [here] = await pair(carol.client);
    carol.path.break();
    await carol.statuses.next("offline");
    const url = new URL("/admin/v1/realms/default/clients/carol", realm.router.url.href.replace(/^ws/, "http"));
    const headers = { authorization: `Bearer ${realm.router.adminToken}` };
    expect((await fetch(url, { method: "DELETE", headers })).status).toBe(204);
    carol.path.mend();
    expect(await carol.client.closed).toMatchObject({ code: "unauthorized" });
    expect(await here.closed).toMatchObject({ code: "link-lost" });
  });
});

describe("two programs of one instance", () => {
  test("two programs of one instance don't fight for it: the first ends for good", async () => {
    await using _ = await sides();
    const [here] = await pair();
    await using second = await startSide(realm, "alice", { instance });
    const error = await alice.client.closed;
    expect(error).toMatchObject({ name: "LinkError", code: "superseded" });
    expect(error?.shouldRetry()).toBe(false);
    expect(await here.closed).toMatchObject({ code: "link-lost" });
    await expectTalk(await pair(second.client));
    expect([alice.path.dials, alice.statuses.all, second.statuses.all]).toEqual([1, [{ kind: "closed" }], []]);
  });

  test("two programs of one instance of which the first was away don't fight for it: the later one stays", async () => {
    await using _ = await sides();
    alice.path.break();
    await alice.statuses.next("offline");
    await using second = await startSide(realm, "alice", { instance });
    alice.path.mend();
    await alice.statuses.next("online");
    expect(await second.client.closed).toMatchObject({ code: "superseded" });
    await expectTalk(await pair());
    expect(second.path.dials).toBe(1);
  });
});

test("a transfer survives a router that is killed and started again", async () => {
  await using router = await RouterProcess.start();
  const secrets = new Map<string, Promise<string>>();
  const secretOf = async (name: string): Promise<string> => {
    const secret = secrets.get(name) ?? addClient(router, name);
    secrets.set(name, secret);
    return await secret;
  };
  await using alice = await startSide({ router, secretOf }, "alice");
  await using bob = await startSide({ router, secretOf }, "bob");
  const [here, there] = await pair(alice.client, bob.client);
  const bytes = randomBytes(8_000_000);
  const sending = here.send(bytes).then(() => here.close());

  let killed: Promise<void> | undefined;
  const hash = createHash("sha256");
  let length = 0;
  for await (const piece of there.readable) {
    hash.update(piece);
    length += piece.length;
    if (length > 1_000_000) killed ??= killAndStart(router, [alice, bob]);
  }
  expect([length, hash.digest("hex")]).toEqual([bytes.length, digest(bytes)]);
  await Promise.all([killed, sending]);
  await expectGoodEnd(there, here);
  for (const { statuses } of [alice, bob])
    expect(statuses.kinds).toEqual(expect.arrayContaining(["offline", "online"]));
});

async function killAndStart(router: RouterProcess, sides: readonly Side[]): Promise<void> {
  await router.kill();
  await router.startAgain();
  for (const { path } of sides) path.leadTo(router.url);
}
