import {
  type ControlFrame,
  encodeBatch,
  errorCodes,
  limits,
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

let socket: SocketEvents;
let answers: { address: number; frame: PeerFrame }[];
let incoming: Channel[];
let deferred: (() => void)[];

beforeEach(() => {
  [answers, incoming, deferred] = [[], [], []];
  const platform: Platform = {
    dial: (_, __, ___, events) => {
      socket = events;
      return { bufferedBytes: 0, send: hear, close: () => undefined, drop: () => undefined };
    },
    defer: (callback) => void deferred.push(callback),
    clock: { ...systemClock, after: () => () => undefined },
  };
  const session = new Session(platform, {
    url: new URL("ws://router.example"),
    format: undefined,
    credentials: { name: "bob", secret: "secret" },
    who: "the router",
    maxMessageBytes: 1_000,
    graceMs: 1_000,
    onStatus: () => undefined,
  });
  session.onIncoming = (channel) => void incoming.push(channel);
  tell({ kind: "welcome", session: sessionOf(0), name: "bob", realm: "default", budget: limits.maxBudgetBytes });
});

function hear(message: Uint8Array | string): void {
  if (typeof message === "string") return;
  const segments = new SegmentReader(message);
  while (segments.next()) {
    if (segments.address === routerAddress) continue;
    const frames = new PeerFrameReader(message, segments.start, segments.end);
    for (let frame = frames.next(); frame !== undefined; frame = frames.next())
      answers.push({ address: segments.address, frame });
  }
}

function tell(...frames: readonly ControlFrame[]): void {
  socket.onMessage(encodeBatch(routerAddress, ...frames));
}

function sessionOf(peer: number): string {
  return peer.toString(16).padStart(32, "0");
}

/** Opens from a peer, whose ids go up. */
function open(peer: number, connection: number, early = new Uint8Array()): void {
  const stamped = { address: peer, session: sessionOf(peer), peer: `peer-${peer}` };
  tell({ kind: "incoming", connection, ...stamped, protocol: "p", limit: 0, metadata: {}, early });
}

/** Lets the turn end, and takes what was answered to peers. */
function turn(): { address: number; frame: PeerFrame }[] {
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
    expect(turn()).toEqual([]);
    open(1, limits.maxPendingOpens + 1);
    expect(turn()).toMatchObject([{ frame: { kind: "reject", code: errorCodes.busy } }]);
    open(2, 1);
    expect(turn()).toEqual([]);
    acceptAll();
    await Promise.resolve();
    turn();
    open(1, limits.maxPendingOpens + 2);
    expect(turn()).toEqual([]);
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
    expect(turn()).toEqual([]);
    open(1, ++connection, early(4));
    expect(turn()).toMatchObject([{ frame: { kind: "reject", code: errorCodes.busy } }]);
    open(1, ++connection);
    expect(turn()).toEqual([]);
    acceptAll();
    await Promise.resolve();
    turn();
    open(1, ++connection, early(4));
    expect(turn()).toEqual([]);
  });

  test("so many Connections with all its peers together", async () => {
    let count = 0;
    const fill = async (upTo: number): Promise<void> => {
      while (count < upTo) {
        count++;
        open(1 + Math.floor(count / limits.maxConnectionsPerPeer), count);
        if (count % limits.maxPendingOpens !== 0 && count !== upTo) continue;
        turn();
        acceptAll();
        await Promise.resolve();
      }
    };
    await fill(limits.maxConnections);
    expect(turn().filter(({ frame }) => frame.kind === "reject")).toEqual([]);
    open(99, 1);
    expect(turn()).toMatchObject([{ frame: { kind: "reject", code: errorCodes.tooManyConnections } }]);
  });

  test("so many bytes of windows, but the smallest window for each Connection", async () => {
    const count = 200;
    for (let connection = 1; connection <= count; connection++) open(1, connection);
    turn();
    acceptAll();
    await Promise.resolve();
    const granted = turn().map(({ frame }) => (frame.kind === "position" ? frame.limit : Number.NaN));
    expect(granted).toHaveLength(count);
    expect(Math.max(...granted)).toBe(limits.firstWindowBytes);
    expect(Math.min(...granted)).toBe(limits.minWindowBytes);
    const beyondTheSmallest = granted.reduce((sum, limit) => sum + (limit > limits.minWindowBytes ? limit : 0), 0);
    expect(beyondTheSmallest).toBeLessThanOrEqual(limits.maxBudgetBytes);
  });
});
