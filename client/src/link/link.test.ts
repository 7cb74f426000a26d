import { clientLimits, heartbeat, routerAddress } from "@messagepasser/protocol";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Downlink } from "./downlink.ts";
import { Link } from "./link.ts";
import { type Platform, type SocketEnd, type SocketEvents, systemClock } from "./platform.ts";

// A socket that says nothing by itself: what a link notices of a dead one is a matter of time, which is a fake here.

let ends: SocketEnd[];
let sent: unknown[];
let socket: SocketEvents;
let link: Link;
let bufferedBytes: number;

beforeEach(() => {
  vi.useFakeTimers();
  ends = [];
  bufferedBytes = 0;
  sent = [];
  const platform: Platform = {
    dial: (_, __, ___, events) => {
      socket = events;
      return {
        get bufferedBytes() {
          return bufferedBytes;
        },
        send: (message) => void sent.push(message),
        close: () => undefined,
        drop: () => undefined,
      };
    },
    defer: (callback) => {
      callback();
    },
    clock: systemClock,
  };
  const events = {
    onRouterFrame: () => undefined,
    onSegment: () => undefined,
    onEnd: (end: SocketEnd) => void ends.push(end),
    downlink: new Downlink(systemClock),
  };
  link = new Link(platform, new URL("ws://router.example"), undefined, { name: "alice", secret: "secret" }, events);
});

afterEach(() => {
  vi.useRealTimers();
});

test("a link that the router never answers ends within 10 s", () => {
  vi.advanceTimersByTime(9_999);
  expect(ends).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(ends).toEqual([{ closeCode: 1006, reason: "no answer within 10 s" }]);
});

test.each([0, 1, 14_999, 15_000, 15_001, 24_999, 25_000])(
  "a link that is silent from %i ms on ends within 35 s",
  (fromMs) => {
    link.keepAlive();
    for (let ms = 0; ms < fromMs; ms++) {
      vi.advanceTimersByTime(1);
      socket.onMessage(heartbeat.pong);
    }
    vi.advanceTimersByTime(9_999);
    expect(ends).toEqual([]);
    vi.advanceTimersByTime(25_001);
    expect(ends).toEqual([{ closeCode: 1006, reason: "no answer to a ping within 10 s" }]);
  },
);

test("a link whose pings are answered, or that gets anything else, goes on", () => {
  link.keepAlive();
  for (const message of [heartbeat.pong, new Uint8Array(), heartbeat.pong]) {
    vi.advanceTimersByTime(15_000);
    socket.onMessage(message);
    vi.advanceTimersByTime(10_000);
  }
  expect(sent).toEqual([heartbeat.ping, heartbeat.ping, heartbeat.ping]);
  expect(ends).toEqual([]);
});

test("a link that is asked for an answer within 3 s ends after 3 s without one, and goes on as before with one", () => {
  link.keepAlive();
  link.probe(3_000);
  socket.onMessage(heartbeat.pong);
  vi.advanceTimersByTime(3_000);
  link.probe(3_000);
  vi.advanceTimersByTime(2_999);
  expect(ends).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(ends).toEqual([{ closeCode: 1006, reason: "no answer to a ping within 3 s" }]);
});

test("a link that has ended has no timers left", () => {
  link.keepAlive();
  socket.onClose({ closeCode: 1000, reason: "" });
  expect(vi.getTimerCount()).toBe(0);
  expect(ends).toHaveLength(1);
});

test("a link whose router asks for answers and reads none ends before they fill the memory", () => {
  link.keepAlive();
  const answer = { kind: "reached", token: 1 } as const;
  bufferedBytes = clientLimits.maxUnsentBytes;
  link.frame(routerAddress, answer);
  expect(ends).toEqual([]);
  bufferedBytes++;
  link.frame(routerAddress, answer);
  expect(ends).toEqual([{ closeCode: 1006, reason: "the router reads nothing" }]);
});
