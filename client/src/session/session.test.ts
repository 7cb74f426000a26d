import { clientLimits, encodeBatch, errorCodes, limits, openerBit, routerAddress } from "@messagepasser/protocol";
import { beforeEach, describe, expect, test } from "vitest";
import { openBatch, ScriptedRouter, sessionOf } from "../../../test/support/scripted-router.ts";

// A session whose router is played.

let router: ScriptedRouter;

beforeEach(async () => {
  router = await ScriptedRouter.start();
});

describe("the limits of a client", () => {
  test("a client takes at most a fixed number of undecided opens of one peer, and as many of another", async () => {
    for (let connection = 1; connection <= limits.maxPendingOpens; connection++) router.open(1, connection);
    expect(await router.turn()).toEqual([]);
    router.open(1, limits.maxPendingOpens + 1);
    expect(await router.turn()).toMatchObject([{ frame: { kind: "reset", code: errorCodes.busy } }]);
    router.open(2, 1);
    expect(await router.turn()).toEqual([]);
    router.acceptAll();
    await router.turn();
    router.open(1, limits.maxPendingOpens + 2);
    expect(await router.turn()).toEqual([]);
  });

  test("a client takes half of the bytes for undecided opens from one peer, and any number of opens without", async () => {
    const first = (bytes: number): Uint8Array => new Uint8Array(bytes);
    const full = 65_536;
    let connection = 0;
    for (let bytes = 0; bytes < limits.maxPendingFirstBytes / 2; bytes += full)
      router.open(1, ++connection, first(full));
    expect(await router.turn()).toEqual([]);
    router.open(1, ++connection, first(4));
    expect(await router.turn()).toMatchObject([{ frame: { kind: "reset", code: errorCodes.busy } }]);
    router.open(1, ++connection);
    router.open(2, 1, first(full));
    expect(await router.turn()).toEqual([]);
    router.acceptAll();
    await router.turn();
    router.open(1, ++connection, first(4));
    expect(await router.turn()).toEqual([]);
  });

  test("a client whose program accepts opens and reads nothing takes first messages of one peer up to a bound", async () => {
    const first = new Uint8Array(65_536);
    let connection = 0;
    for (; connection < 1_000;) {
      for (let count = 0; count < 20; count++) router.open(1, ++connection, first);
      await router.turn();
      for (const channel of router.incoming.slice(-20)) channel.accept();
      await Promise.resolve();
    }
    const heldBytes = router.incoming.reduce((sum, { receiver }) => sum + receiver.position().received, 0);
    expect(heldBytes).toBeLessThanOrEqual(clientLimits.maxHeldBatchBytes / 2 + 20 * 70_000);
    router.open(1, ++connection);
    router.open(2, 1, first);
    const refused = (await router.turn()).filter(({ frame }) => frame.kind === "reset");
    expect(refused).toEqual([]);
  });

  test("a first message keeps no more memory alive than its own bytes, however large its batch is", async () => {
    const filler = encodeBatch(1, { kind: "reset", connection: 9, code: errorCodes.aborted, reason: "x".repeat(500) });
    router.sends(openBatch(1, 1, new Uint8Array(3)), ...Array.from({ length: 300 }, () => filler));
    await router.turn();
    const [channel] = router.incoming;
    router.acceptAll();
    const message = await channel?.receiver.receive(undefined);
    expect((message as Uint8Array).buffer.byteLength).toBe(3);
  });

  test("a client has at most a fixed number of Connections with all its peers together", async () => {
    let count = 0;
    const fill = async (upTo: number): Promise<void> => {
      while (count < upTo) {
        count++;
        router.open(1 + Math.floor(count / limits.maxConnectionsPerPeer), count);
        if (count % limits.maxPendingOpens !== 0 && count !== upTo) continue;
        await router.turn();
        router.acceptAll();
        await Promise.resolve();
      }
    };
    await fill(limits.maxConnections);
    expect((await router.turn()).filter(({ frame }) => frame.kind === "reset")).toEqual([]);
    router.open(99, 1);
    expect(await router.turn()).toMatchObject([{ frame: { kind: "reset", code: errorCodes.tooManyConnections } }]);
  });

  /** An open from a client that shares a principal with others. */
  const openOf = (peer: string, at: number, connection: number, metadata = {}): void => {
    const stamped = { address: at, session: sessionOf(at), peer };
    const rest = { protocol: "p", limit: 100_000, metadata, flags: 0, first: new Uint8Array() };
    router.say(routerAddress, { kind: "open", connection, ...stamped, ...rest });
  };

  test("a client and its guests have as many undecided opens together as one client has", async () => {
    for (let connection = 1; connection <= limits.maxPendingOpens; connection++)
      openOf(`alice/${connection % 20}`, 1 + (connection % 20), connection);
    expect(await router.turn()).toEqual([]);
    openOf("alice", 30, 1);
    expect(await router.turn()).toMatchObject([{ address: 30, frame: { kind: "reset", code: errorCodes.busy } }]);
    openOf("bob", 31, 1);
    expect(await router.turn()).toEqual([]);
    router.acceptAll();
    await router.turn();
    openOf("alice", 30, 2);
    expect(await router.turn()).toEqual([]);
  });

  test("the metadata of undecided opens takes room, of a client together with its guests", async () => {
    const metadata = { key: "x".repeat(limits.maxMetadataBytes - 3) };
    let connection = 0;
    for (let bytes = 0; bytes < limits.maxPendingFirstBytes / 2; bytes += limits.maxMetadataBytes)
      openOf(`alice/${++connection % 20}`, 1 + (connection % 20), connection, metadata);
    expect(await router.turn()).toEqual([]);
    openOf("alice/new", 30, 1, metadata);
    expect(await router.turn()).toMatchObject([{ address: 30, frame: { kind: "reset", code: errorCodes.busy } }]);
    openOf("alice/new", 30, 2);
    openOf("bob", 31, 1, metadata);
    expect(await router.turn()).toEqual([]);
    router.acceptAll();
    await router.turn();
    openOf("alice/new", 30, 3, metadata);
    expect(await router.turn()).toEqual([]);
  });

  test("a client and its guests have as many Connections together as one client has", async () => {
    for (let connection = 1; connection <= limits.maxConnectionsPerPeer; connection++) {
      openOf(`alice/${connection % 20}`, 1 + (connection % 20), connection);
      if (connection % 1_000 !== 0) continue;
      await router.turn();
      router.acceptAll();
      await Promise.resolve();
    }
    expect((await router.turn()).filter(({ frame }) => frame.kind === "reset")).toEqual([]);
    openOf("alice", 30, 1);
    expect(await router.turn()).toMatchObject([
      { address: 30, frame: { kind: "reset", code: errorCodes.tooManyConnections } },
    ]);
    openOf("bob", 31, 1);
    expect(await router.turn()).toEqual([]);
  });

  test("a client grants at most a fixed number of bytes of windows, but the smallest window for each Connection", async () => {
    const count = 200;
    for (let connection = 1; connection <= count; connection++) router.open(1, connection);
    await router.turn();
    router.acceptAll();
    await Promise.resolve();
    const granted = (await router.turn()).map(({ frame }) => (frame.kind === "credit" ? frame.limit : Number.NaN));
    expect(granted).toHaveLength(count);
    expect(Math.max(...granted)).toBe(limits.firstWindowBytes);
    expect(Math.min(...granted)).toBe(limits.minWindowBytes);
    const beyondTheSmallest = granted.reduce((sum, limit) => sum + (limit > limits.minWindowBytes ? limit : 0), 0);
    expect(beyondTheSmallest).toBeLessThanOrEqual(limits.maxBudgetBytes);
  });
});

describe("the answer to a message", () => {
  test("the answers to one message leave in one batch, with those of the handlers that it ran", async () => {
    router.open(1, 1);
    await router.turn();
    const ended = router.incoming.splice(0).map((channel) => channel.end(undefined));
    await router.turn();
    await Promise.all(ended);
    // The end of the first Connection, and an open, as of a client that makes one call after the other.
    const fin = encodeBatch(1, { kind: "fin", connection: (1 | openerBit) >>> 0, offset: 0 });
    router.session.onIncoming = (channel) => {
      channel.accept();
    };
    router.batches = 0;
    router.sends(fin, openBatch(1, 2));
    expect((await router.turn()).map(({ frame }) => frame)).toMatchObject([
      { kind: "done", connection: 1 },
      { kind: "credit", connection: 2 },
    ]);
    expect(router.batches).toBe(1);
  });
});

test("a handler gets an open after the program got everything that came before it, even in the same message", async () => {
  const channel = router.session.open("peer-1", "p");
  let isHeard = false;
  const program = (async () => {
    await channel.accepted;
    for (let hop = 0; hop < 10; hop++) await Promise.resolve();
    isHeard = true;
  })();
  const heard: boolean[] = [];
  router.session.onIncoming = () => void heard.push(isHeard);
  const { key: connection } = channel;
  const routed = { connection, address: 1, session: sessionOf(1), peer: channel.peer };
  const position = { connection, received: 0, limit: 0 };
  router.sends(
    encodeBatch(routerAddress, { kind: "routed", ...routed }),
    encodeBatch(1, { kind: "credit", ...position }),
    openBatch(1, 1),
  );
  await program;
  await router.turn();
  expect(heard).toEqual([true]);
});

test("the end of a Connection resolves when all its data is given to the socket", async () => {
  router.open(1, 1);
  await router.turn();
  const [channel] = router.incoming;
  router.batches = 0;
  const sent = channel?.close(undefined).then(() => router.batches);
  await router.turn();
  expect(await sent).toBe(1);
});

describe("a link that is lost again and again", () => {
  /** Loses the link twenty times, right after what happens on each. Returns the pauses before the reconnects. */
  async function flap(onLink: () => void): Promise<number[]> {
    const pausesMs: number[] = [];
    router.onStatus = (status) => {
      if (status.kind === "offline") pausesMs.push(status.retryInMs);
    };
    for (let loss = 0; loss < 20; loss++) {
      onLink();
      await router.turn();
      router.loseLink();
      router.restoreLink();
      await router.turn();
    }
    return pausesMs;
  }

  test("a link on which a peer was heard is followed by a short pause, however early it was lost", async () => {
    let connection = 0;
    const pausesMs = await flap(() => {
      router.open(1, ++connection);
      router.say(1, { kind: "done", connection });
    });
    expect(pausesMs).toHaveLength(20);
    expect(Math.max(...pausesMs)).toBeLessThanOrEqual(250);
  });

  test("links that carry nothing are followed by longer and longer pauses", async () => {
    const pausesMs = await flap(() => undefined);
    expect(pausesMs.at(-1)).toBe(15_000);
  });
});

test("a client that leaves learns at once whether its peers have everything, and is acknowledged at once", async () => {
  router.open(1, 1);
  await router.turn();
  const [channel] = router.incoming;
  await channel?.send("last words", undefined);
  channel?.sender.hurry();
  const said = (await router.turn()).map(({ frame }) => frame);
  expect(said).toMatchObject([{ kind: "credit" }, { kind: "data" }, { kind: "yield", granted: 100_000 }]);
  const connection = (1 | openerBit) >>> 0;
  // A credit that was under way when the question left is no answer to it.
  router.say(1, { kind: "credit", connection, received: 0, limit: 200_000 });
  expect(await router.turn()).toMatchObject([{ frame: { kind: "yield", granted: 200_000 } }]);
  const settled = channel?.sender.settled.then(() => "settled");
  router.say(1, { kind: "credit", connection, received: 26, limit: 16_410 });
  expect(await settled).toBe("settled");
  expect(await router.turn()).toEqual([]);
});
