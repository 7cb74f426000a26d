import {
  encodeBatch,
  errorCodes,
  limits,
  openerBit,
  type PeerFrame,
  PeerFrameReader,
  routerAddress,
  SegmentReader,
} from "@messagepasser/protocol";
import { beforeEach, describe, expect, test } from "vitest";
import type { Channel } from "./connection/channel.ts";
import { type Platform, type SocketEvents, systemClock } from "./link/platform.ts";
import { Session } from "./session.ts";

// A session whose router is this file: opens come in, and what it answers to peers is read from its socket.

let session: Session;
let socket: SocketEvents;
/** How many messages it sent. */
let batches: number;
let answers: { address: number; frame: PeerFrame }[];
let incoming: Channel[];
let deferred: (() => void)[];

beforeEach(async () => {
  [answers, incoming, deferred] = [[], [], []];
  const platform: Platform = {
    dial: (_, __, ___, events) => {
      socket = events;
      return { bufferedBytes: 0, send: hear, close: () => undefined, drop: () => undefined };
    },
    defer: (callback) => void deferred.push(callback),
    clock: { ...systemClock, after: () => () => undefined },
  };
  session = new Session(platform, {
    url: new URL("ws://router.example"),
    format: undefined,
    credentials: { name: "bob", secret: "secret" },
    who: "the router",
    maxMessageBytes: 1_000,
    graceMs: 1_000,
    onStatus: () => undefined,
  });
  session.onIncoming = (channel) => void incoming.push(channel);
  const welcome = { session: sessionOf(0), name: "bob", realm: "default", budget: limits.maxBudgetBytes };
  socket.onMessage(encodeBatch(routerAddress, { kind: "welcome", ...welcome }));
  await turn();
});

function hear(message: Uint8Array | string): void {
  if (typeof message === "string") return;
  batches++;
  const segments = new SegmentReader(message);
  while (segments.next()) {
    if (segments.address === routerAddress) continue;
    const frames = new PeerFrameReader(message, segments.start, segments.end);
    for (let frame = frames.next(); frame !== undefined; frame = frames.next())
      answers.push({ address: segments.address, frame });
  }
}

function sessionOf(peer: number): string {
  return peer.toString(16).padStart(32, "0");
}

/** An open from a peer, whose ids go up. */
function incomingBatch(peer: number, connection: number, early = new Uint8Array()): Uint8Array<ArrayBuffer> {
  const stamped = { address: peer, session: sessionOf(peer), peer: `peer-${peer}` };
  const open = { connection, ...stamped, protocol: "p", limit: 1_000, metadata: {}, early };
  return encodeBatch(routerAddress, { kind: "incoming", ...open });
}

function open(peer: number, connection: number, early?: Uint8Array<ArrayBuffer>): void {
  socket.onMessage(incomingBatch(peer, connection, early));
}

/** Lets the turn end, and takes what was answered to peers. */
async function turn(): Promise<{ address: number; frame: PeerFrame }[]> {
  // Microtasks come first.
  await Promise.resolve();
  for (let callback = deferred.shift(); callback !== undefined; callback = deferred.shift()) callback();
  const taken = answers;
  answers = [];
  return taken;
}

function acceptAll(): void {
  for (const channel of incoming.splice(0)) channel.accept();
}

describe("a client takes at most", () => {
  test("so many opens of one peer that it has not decided on, and as many of another", async () => {
    for (let connection = 1; connection <= limits.maxPendingOpens; connection++) open(1, connection);
    expect(await turn()).toEqual([]);
    open(1, limits.maxPendingOpens + 1);
    expect(await turn()).toMatchObject([{ frame: { kind: "reject", code: errorCodes.busy } }]);
    open(2, 1);
    expect(await turn()).toEqual([]);
    acceptAll();
    await turn();
    open(1, limits.maxPendingOpens + 2);
    expect(await turn()).toEqual([]);
  });

  test("so many bytes with opens that it has not decided on, and any number of opens without", async () => {
    // What is in there doesn't count; a frame that the reader skips will do.
    const early = (bytes: number): Uint8Array<ArrayBuffer> => {
      const frame = new Uint8Array(bytes);
      new DataView(frame.buffer).setUint32(0, (0xff << 24) | (bytes - 4));
      return frame;
    };
    const full = 65_536;
    let connection = 0;
    for (let bytes = 0; bytes < limits.maxPendingEarlyBytes; bytes += full) open(1, ++connection, early(full));
    expect(await turn()).toEqual([]);
    open(1, ++connection, early(4));
    expect(await turn()).toMatchObject([{ frame: { kind: "reject", code: errorCodes.busy } }]);
    open(1, ++connection);
    expect(await turn()).toEqual([]);
    acceptAll();
    await turn();
    open(1, ++connection, early(4));
    expect(await turn()).toEqual([]);
  });

  test("so many Connections with all its peers together", async () => {
    let count = 0;
    const fill = async (upTo: number): Promise<void> => {
      while (count < upTo) {
        count++;
        open(1 + Math.floor(count / limits.maxConnectionsPerPeer), count);
        if (count % limits.maxPendingOpens !== 0 && count !== upTo) continue;
        await turn();
        acceptAll();
        await Promise.resolve();
      }
    };
    await fill(limits.maxConnections);
    expect((await turn()).filter(({ frame }) => frame.kind === "reject")).toEqual([]);
    open(99, 1);
    expect(await turn()).toMatchObject([{ frame: { kind: "reject", code: errorCodes.tooManyConnections } }]);
  });

  test("so many bytes of windows, but the smallest window for each Connection", async () => {
    const count = 200;
    for (let connection = 1; connection <= count; connection++) open(1, connection);
    await turn();
    acceptAll();
    await Promise.resolve();
    const granted = (await turn()).map(({ frame }) => (frame.kind === "position" ? frame.limit : Number.NaN));
    expect(granted).toHaveLength(count);
    expect(Math.max(...granted)).toBe(limits.firstWindowBytes);
    expect(Math.min(...granted)).toBe(limits.minWindowBytes);
    const beyondTheSmallest = granted.reduce((sum, limit) => sum + (limit > limits.minWindowBytes ? limit : 0), 0);
    expect(beyondTheSmallest).toBeLessThanOrEqual(limits.maxBudgetBytes);
  });
});

describe("what is said in answer to a message", () => {
  test("leaves in one batch, with what handlers of opens in it answer at once", async () => {
    open(1, 1);
    await turn();
    const ended = incoming.splice(0).map((channel) => channel.end(undefined));
    await turn();
    await Promise.all(ended);
    // The end of the first Connection, and an open, as of a client that makes one call after the other.
    const fin = encodeBatch(1, { kind: "fin", connection: (1 | openerBit) >>> 0, offset: 0 });
    session.onIncoming = (channel) => {
      channel.accept();
    };
    batches = 0;
    socket.onMessage(Uint8Array.of(...fin, ...incomingBatch(1, 2)));
    expect((await turn()).map(({ frame }) => frame)).toMatchObject([
      { kind: "over", connection: 1 },
      { kind: "position", connection: 2 },
    ]);
    expect(batches).toBe(1);
  });
});

test("an open is handled when the program has heard what came before it, in the same message too", async () => {
  const channel = session.open("peer-1", "p", {}, undefined);
  let isHeard = false;
  const program = (async () => {
    await channel.accepted;
    for (let hop = 0; hop < 10; hop++) await Promise.resolve();
    isHeard = true;
  })();
  const heard: boolean[] = [];
  session.onIncoming = () => void heard.push(isHeard);
  const { key: connection } = channel;
  const routed = { connection, address: 1, session: sessionOf(1) };
  const position = { connection, received: 0, limit: 0 };
  socket.onMessage(
    Uint8Array.of(
      ...encodeBatch(routerAddress, { kind: "routed", ...routed }),
      ...encodeBatch(1, { kind: "position", ...position }),
      ...incomingBatch(1, 1),
    ),
  );
  await program;
  await turn();
  expect(heard).toEqual([true]);
});

test("the end of a Connection resolves when all is given to the socket", async () => {
  open(1, 1);
  await turn();
  const [channel] = incoming;
  batches = 0;
  const sent = channel?.close(undefined).then(() => batches);
  await turn();
  expect(await sent).toBe(1);
});
