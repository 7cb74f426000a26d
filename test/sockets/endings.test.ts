import { type Client, type Connection, LinkError } from "messagepasser";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { rawLink } from "./raw-links.ts";
import { failureOf, type Realm, startRealm } from "./realm.ts";

let realm: Realm;
let alice: Client;
let bob: Client;
const handlerErrors: unknown[] = [];

beforeAll(async () => {
  realm = await startRealm();
  const onHandlerError = (error: unknown): void => void handlerErrors.push(error);
  [alice, bob] = await Promise.all([realm.connect("alice"), realm.connect("bob", { onHandlerError })]);
});

afterAll(async () => {
  await Promise.all([alice.close(), bob.close()]);
  await realm[Symbol.asyncDispose]();
});

async function pair(client = alice): Promise<[Connection, Connection]> {
  const there = Promise.withResolvers<Connection>();
  bob.handle("pair", (connection) => {
    there.resolve(connection);
  });
  return await Promise.all([client.open("bob", "pair"), there.promise]);
}

describe("the end of a Connection", () => {
  test("the end of one direction leaves the other open", async () => {
    const [here, there] = await pair();
    await here.send("question");
    await here.end();
    expect(await there.receive()).toBe("question");
    expect(await there.receive()).toBeUndefined();
    await there.send("answer");
    await there.end();
    expect(await here.receive()).toBe("answer");
    expect(await here.receive()).toBeUndefined();
    expect(await Promise.all([here.closed, there.closed])).toEqual([undefined, undefined]);
  });

  test("the end of a Connection comes after all data that was sent before it", async () => {
    const [here, there] = await pair();
    const sending = Array.from({ length: 100 }, (_, number) => here.send(new Uint8Array(10_000).fill(number)));
    const closing = here.close();
    for (let number = 0; number < 100; number++) expect((await there.receive())?.at(0)).toBe(number);
    expect(await there.receive()).toBeUndefined();
    await Promise.all([...sending, closing]);
    await there.close();
    expect(await there.closed).toBeUndefined();
  });

  test("a close stops a sender at the other end, which is told why", async () => {
    const [here, there] = await pair();
    const stalled = (async () => {
      for (;;) await there.send(new Uint8Array(50_000));
    })();
    await here.close();
    expect(await failureOf(stalled)).toMatchObject({
      code: "closed",
      message: 'Connection "pair" with "alice": "alice" has closed it',
    });
    expect(await here.closed).toBeUndefined();
    expect(await there.receive()).toBeUndefined();
    expect(await there.closed).toBeUndefined();
  });

  test("closes of both ends at once end the Connection well", async () => {
    const [here, there] = await pair();
    await Promise.all([here.close(), there.close()]);
    expect(await Promise.all([here.closed, there.closed])).toEqual([undefined, undefined]);
  });

  test("an abort comes at once, with its reason, after the messages that had arrived", async () => {
    const [here, there] = await pair();
    await here.send("before");
    here.abort("disk full");
    expect(await there.receive()).toBe("before");
    expect(await failureOf(there.receive())).toMatchObject({
      code: "aborted",
      message: 'Connection "pair" with "alice": "alice" aborted it: "disk full"',
    });
    expect(await here.closed).toMatchObject({ code: "aborted" });
    expect(await failureOf(here.send("late"))).toMatchObject({ code: "aborted" });
  });

  test("a Connection that failed is reported by end, and not by close", async () => {
    const [here, there] = await pair();
    there.abort("no more");
    await here.closed;
    expect(await failureOf(here.end())).toMatchObject({ code: "aborted" });
    await here.close();
  });

  test("a Connection ends with the block of its await using", async () => {
    let end: Connection["closed"];
    {
      await using connection = (await pair())[0];
      end = connection.closed;
    }
    expect(await end).toBeUndefined();
  });

  test("calls that come after the end of a Connection get an answer", async () => {
    const [here, there] = await pair();
    await here.end();
    expect(await failureOf(here.send("late"))).toMatchObject({ code: "closed" });
    await there.close();
    await here.close();
    await here.close();
    await here.end();
    here.abort();
    expect(await failureOf(here.send("late"))).toMatchObject({ code: "closed" });
    expect(await failureOf(here.receive())).toMatchObject({ code: "closed" });
  });

  test("a long reason is cut, whatever its characters", async () => {
    const [here, there] = await pair();
    here.abort("✓".repeat(10_000));
    expect((await there.closed)?.message.length).toBeLessThan(1_000);
    const [again, thereAgain] = await pair();
    again.abort("\ud800");
    expect(await thereAgain.closed).toMatchObject({ code: "aborted" });
  });
});

describe("refused opens", () => {
  test.each([
    [
      "nobody",
      "chat",
      "peer-absent",
      'Cannot open "chat" to "nobody": Nobody of that name is connected to realm "default"',
    ],
    [
      "bob",
      "nothing",
      "unknown-protocol",
      'Cannot open "nothing" to "bob": No session of "bob" that is connected serves "nothing"',
    ],
    ["", "chat", "bad-open", 'Cannot open "chat" to "": the peer\'s name must not be empty'],
    ["a:b", "chat", "bad-open", 'Cannot open "chat" to "a:b": the peer\'s name must not contain ":"'],
    ["bob", "", "bad-open", 'Cannot open "" to "bob": the protocol\'s name must not be empty'],
    ["bob", "x".repeat(129), "bad-open", undefined],
    ["é".repeat(65), "chat", "bad-open", undefined],
    ["bob", "line\nfeed", "bad-open", undefined],
  ])("an open to %j with %j is refused", async (peer, protocol, code, message) => {
    const error = await failureOf(alice.open(peer, protocol));
    expect(error).toMatchObject({ name: "ConnectionError", code, peer, protocol });
    if (message !== undefined) expect(error).toMatchObject({ message });
  });

  test("an open that the handler rejects is refused with its reason", async () => {
    bob.handle("picky", (connection) => {
      connection.reject("only on Sundays");
    });
    expect(await failureOf(alice.open("bob", "picky"))).toMatchObject({
      code: "rejected",
      message: 'Cannot open "picky" to "bob": "bob" refused it: "only on Sundays"',
    });
  });

  test("an open whose handler throws is refused, without a word of what it threw", async () => {
    bob.handle("broken", () => {
      throw new Error("password is hunter2");
    });
    const error = await failureOf(alice.open("bob", "broken"));
    expect(error).toMatchObject({ code: "handler-failed" });
    expect(String(error)).not.toContain("hunter2");
    expect(handlerErrors.at(-1)).toMatchObject({ message: "password is hunter2" });
  });

  test("a handler that throws after it has used the Connection ends it", async () => {
    bob.handle("breaks later", async (connection) => {
      await connection.send("so far so good");
      throw new Error("now");
    });
    const connection = await alice.open("bob", "breaks later");
    expect(await connection.receive()).toBe("so far so good");
    expect(await connection.closed).toMatchObject({ code: "handler-failed" });
  });

  test("a Connection can be rejected only by its handler, and not once it is open", async () => {
    const [here, there] = await pair();
    for (const connection of [here, there]) {
      await connection.send("open");
      expect(() => {
        connection.reject();
      }).toThrow(TypeError);
    }
    await here.close();
  });

  test("rejecting an open whose opener has left does no harm", async () => {
    const left = Promise.withResolvers<undefined>();
    const done = Promise.withResolvers<unknown>();
    bob.handle("slow", async (connection) => {
      await left.promise;
      await connection.closed;
      connection.reject("too late");
      done.resolve(await failureOf(connection.send("too late")));
    });
    expect(await failureOf(alice.open("bob", "slow", { timeoutMs: 20 }))).toMatchObject({ code: "open-timed-out" });
    left.resolve(undefined);
    expect(await done.promise).toMatchObject({ code: "open-timed-out" });
  });

  test("an open with metadata past the limits is refused", async () => {
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, key) => [String(key), ""]));
    expect(await failureOf(alice.open("bob", "pair", { metadata: many }))).toMatchObject({ code: "bad-open" });
    expect(await failureOf(alice.open("bob", "pair", { metadata: { key: "x".repeat(4_094) } }))).toMatchObject({
      code: "bad-open",
    });
    const unpaired = { "\ud800": "a", "\ud801": "b" };
    expect(await failureOf(alice.open("bob", "pair", { metadata: unpaired }))).toMatchObject({ code: "bad-open" });
    bob.handle("metadata", () => undefined);
    await using connection = await alice.open("bob", "metadata", { metadata: { key: "x".repeat(4_093) } });
    expect(connection.metadata["key"]).toHaveLength(4_093);
  });
});

describe("a wait", () => {
  test("an open may wait for ever", async () => {
    bob.handle("pair", () => undefined);
    const connection = await alice.open("bob", "pair", { timeoutMs: Infinity });
    await connection.close();
  });

  test("an open ends with its timeout, and the other end is told", async () => {
    using silent = await rawLink(realm, "silent");
    const opening = alice.open("silent", "anything", { timeoutMs: 50 });
    const incoming = await silent.hear("open");
    expect(await failureOf(opening)).toMatchObject({
      code: "open-timed-out",
      message: 'Cannot open "anything" to "silent": no answer within 50 ms',
    });
    expect(await silent.hear("reset")).toMatchObject({ from: incoming.address, code: 104 });
  });

  test.each(["open", "receive", "send", "peers", "end"])(
    "a wait for %s ends with its signal and its reason",
    async (call) => {
      using _ = await rawLink(realm, "silent");
      const [here] = await pair();
      const controller = new AbortController();
      const { signal } = controller;
      const full = new Uint8Array(3_000_000);
      const calls: Record<string, () => Promise<unknown>> = {
        open: () => alice.open("silent", "x", { signal }),
        receive: () => here.receive({ signal }),
        send: () => here.send(full, { signal }),
        end: async () => {
          here.send(full).catch(() => undefined);
          await here.end({ signal });
        },
        // The signal fires before the answer can have come.
        peers: () => alice.peers({ signal }),
      };
      const waiting = failureOf(calls[call]?.() ?? Promise.resolve());
      const reason = new Error("changed my mind");
      controller.abort(reason);
      expect(await waiting).toBe(reason);
      expect(await failureOf(calls[call]?.() ?? Promise.resolve())).toBe(reason);
      here.abort();
    },
  );

  test("a receive that a signal ended takes no message with it", async () => {
    const [here, there] = await pair();
    const controller = new AbortController();
    const given = failureOf(there.receive({ signal: controller.signal }));
    controller.abort();
    await given;
    await here.send("kept");
    expect(await there.receive()).toBe("kept");
    await here.close();
  });
});

describe("a client that leaves", () => {
  test("a client that closes hands over its data first, and its peers see an end", async () => {
    const carol = await realm.connect("carol");
    const [here, there] = await pair(carol);
    const sending = Array.from({ length: 50 }, () => here.send(new Uint8Array(20_000)));
    const closing = carol.close();
    for (let count = 0; count < 50; count++) expect(await there.receive()).toHaveLength(20_000);
    expect(await failureOf(there.receive())).toMatchObject({
      code: "peer-gone",
      message: 'Connection "pair" with "carol": "carol" ended its session',
    });
    await Promise.all([...sending, closing]);
    expect(await carol.closed).toBeUndefined();
    expect(await failureOf(carol.open("bob", "pair"))).toMatchObject({ code: "closed" });
    expect(await failureOf(carol.peers())).toMatchObject({ code: "closed" });
    expect(await alice.peers()).toEqual(["alice", "bob"]);
  });

  test("a client that closes right after a last message waits for a round trip, not for a lazy acknowledgement", async () => {
    let tookMs = 0;
    for (let round = 0; round < 5; round++) {
      const carol = await realm.connect("carol");
      const [here, there] = await pair(carol);
      await here.send("last words");
      const startMs = performance.now();
      await carol.close();
      tookMs += performance.now() - startMs;
      expect(await there.receive()).toBe("last words");
    }
    // Lazily acknowledged, each would take a second.
    expect(tookMs).toBeLessThan(2_500);
  });

  test("a client that closes waits no longer than its deadline for a peer that doesn't read", async () => {
    const carol = await realm.connect("carol");
    const [here] = await pair(carol);
    const unsent = failureOf(here.send(new Uint8Array(3_000_000)));
    await carol.close({ deadlineMs: 50 });
    expect(await unsent).toMatchObject({ code: "closed" });
  });

  test("a client that vanishes is reported to its peers", async () => {
    const lost = await rawLink(realm, "lost");
    const opening = alice.open("lost", "x");
    const { address, connection } = await lost.hear("open");
    lost.say(address, { kind: "credit", connection, received: 0, limit: 1_000 });
    const here = await opening;
    lost.socket.terminate();
    expect(await here.closed).toMatchObject({
      code: "peer-gone",
      message: 'Connection "x" with "lost": "lost" ended its session',
    });
  });

  test("a client whose instance another took is told so, and is not to come back", async () => {
    const first = await realm.connect("twin", { instance: "desk" });
    const [, there] = await pair(first);
    const second = await realm.connect("twin", { instance: "desk" });
    const error = await first.closed;
    expect(error).toBeInstanceOf(LinkError);
    expect(error).toMatchObject({ code: "superseded" });
    expect(error?.shouldRetry()).toBe(false);
    expect(await there.closed).toMatchObject({
      code: "peer-gone",
      message: expect.stringContaining("was replaced") as string,
    });
    expect(await second.peers()).toContain("twin");
    await second.close();
  });
});

test("peers are listed in order, the client itself included, and leave the list when they leave", async () => {
  const names = ["zoë", "Zed", "carl", "daisy"];
  const clients = await Promise.all(names.map((name) => realm.connect(name)));
  expect(await alice.peers()).toEqual(["Zed", "alice", "bob", "carl", "daisy", "zoë"]);
  await Promise.all(clients.map((client) => client.close()));
  expect(await Promise.all([alice.peers(), alice.peers()])).toEqual([
    ["alice", "bob"],
    ["alice", "bob"],
  ]);
});
