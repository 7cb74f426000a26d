import { limits, routerLimits } from "@messagepasser/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { after, megabit, quantile, rateOf } from "../../../test/support/line-moments.ts";
import { Budget } from "../connection/budget.ts";
import { Receiver } from "../connection/receiver.ts";
import { Paths } from "../session/paths.ts";
import { Downlink } from "./downlink.ts";

interface Line {
  /** From a credit to what it allows, while nothing waits. */
  readonly wayMs: number;
  readonly bytesPerMs: (nowMs: number) => number;
  /** That send all the time. Default: 1. */
  readonly connections?: number;
  /** When another one begins. */
  readonly joinsMs?: number;
  /** That never send anything. Default: 0. */
  readonly idleConnections?: number;
  /** What the router's clock is wrong by. */
  readonly clockErrorMs?: (nowMs: number) => number;
  /** Whether the router tells its clock. Default: true. */
  readonly isClocked?: boolean;
  /** Until when the client does nothing. */
  readonly asleepUntilMs?: (nowMs: number) => number;
}

interface Moment {
  readonly nowMs: number;
  /** How long what is sent now will wait. */
  readonly queueMs: number;
  readonly carriedBytes: number;
  readonly credits: number;
  readonly timers: number;
}

interface Due {
  readonly atMs: number;
  readonly call: () => void;
}

const tickMs = 0.5;
const messageBytes = 16_384;
const payload = new Uint8Array(messageBytes);
/** Of a segment and its frame. */
const headerBytes = 20;
const clockBytes = 16;

/** Lets senders send all that receivers grant over a line, in small steps of time. */
function simulate(line: Line, forMs: number): Moment[] {
  const { wayMs, bytesPerMs, connections = 1, idleConnections = 0, clockErrorMs = () => 0 } = line;
  let nowMs = 0;
  let timers: Due[] = [];
  const clock = {
    now: () => nowMs,
    after: (delayMs: number, call: () => void) => {
      const timer = { atMs: nowMs + delayMs, call };
      timers.push(timer);
      return () => void (timers = timers.filter((each) => each !== timer));
    },
  };
  const downlink = new Downlink(clock);
  const budget = new Budget();
  budget.allow(Math.max(routerLimits.firstBudgetBytes, bytesPerMs(0) * (routerLimits.paceMs + 2 * wayMs)));
  const paths = new Paths(budget, downlink);
  const queue: { readonly bytes: number; readonly arrive: () => void }[] = [];
  const arrivals: Due[] = [];
  const credits: Due[] = [];
  let [queued, carried, spare, told, toldMs, creditCount] = [0, 0, 0, 0, -Infinity, 0];
  const carry = (bytes: number, arrive: () => void): void => {
    queue.push({ bytes, arrive });
    queued += bytes;
  };
  const tellClock = (bytes: number): void => {
    told += bytes;
    if (line.isClocked === false || nowMs - toldMs < (told < 131_072 ? 8 : 100)) return;
    [told, toldMs] = [0, nowMs];
    const timeMs = Math.floor(nowMs + clockErrorMs(nowMs) + 4_294_964_000);
    carry(clockBytes, () => {
      downlink.clocked(timeMs);
    });
  };
  const connect = (name: string): (() => void) => {
    let [sent, left] = [0, messageBytes];
    const sink = {
      credit: (_received: number, to: number) => {
        creditCount++;
        credits.push({ atMs: nowMs + wayMs / 2, call: () => void (limit = Math.max(limit, to)) });
      },
      unfit: (error: Error) => {
        throw error;
      },
    };
    const receiver = new Receiver(sink, messageBytes, clock.now, paths.to(name));
    receiver.begin();
    let { limit } = receiver.position();
    return () => {
      for (;;) {
        const bytes = Math.min(left, limit - sent - limits.frameCostBytes);
        if (bytes <= 0) return;
        left = left === bytes ? messageBytes : left - bytes;
        const offset = sent;
        sent += bytes + limits.frameCostBytes;
        tellClock(bytes);
        carry(bytes + headerBytes, () => {
          const frame = { connection: 1, last: true, text: false, offset, payload: payload.subarray(0, bytes) };
          receiver.data({ kind: "data", ...frame });
          void receiver.receive(undefined);
        });
      }
    };
  };
  for (let count = 0; count < idleConnections; count++) connect(`idle ${count}`);
  const senders = Array.from({ length: connections }, (_, count) => connect(`busy ${count}`));
  const callDue = (list: Due[]): void => {
    while ((list[0]?.atMs ?? Infinity) <= nowMs) list.shift()?.call();
  };
  const moments: Moment[] = [];
  for (; nowMs < forMs; nowMs += tickMs) {
    const rate = bytesPerMs(nowMs);
    callDue(credits);
    if (nowMs === line.joinsMs) senders.push(connect("late"));
    for (const send of senders) send();
    spare = queue.length === 0 ? 0 : spare + rate * tickMs;
    for (let first = queue[0]; first !== undefined && spare >= first.bytes; first = queue[0]) {
      queue.shift();
      spare -= first.bytes;
      queued -= first.bytes;
      carried += first.bytes;
      arrivals.push({ atMs: nowMs + wayMs / 2, call: first.arrive });
    }
    if ((line.asleepUntilMs?.(nowMs) ?? 0) <= nowMs) {
      const due = timers.filter(({ atMs }) => atMs <= nowMs);
      timers = timers.filter(({ atMs }) => atMs > nowMs);
      for (const { call } of due) call();
      callDue(arrivals);
    }
    const queueMs = (queued - spare) / rate;
    moments.push({ nowMs, queueMs, carriedBytes: carried, credits: creditCount, timers: timers.length });
  }
  return moments;
}

describe("what is under way from the router", () => {
  test("what comes waits for some 20 ms on any line, whether one Connection or ten bring it, and the line is used", () => {
    const anyLine = fc.record({
      bytesPerMs: fc.integer({ min: 5 * megabit, max: 100 * megabit }),
      wayMs: fc.integer({ min: 3, max: 150 }),
      connections: fc.integer({ min: 1, max: 10 }),
    });
    fc.assert(
      fc.property(anyLine, ({ bytesPerMs, wayMs, connections }) => {
        const moments = after(simulate({ wayMs, bytesPerMs: () => bytesPerMs, connections }, 9_000), 4_000);
        expect(quantile(moments, 0.5)).toBeLessThan(30 + wayMs / 10);
        expect(quantile(moments, 0.95)).toBeLessThan(60 + wayMs / 2);
        expect(rateOf(moments, "carriedBytes")).toBeGreaterThan(0.8 * bytesPerMs);
      }),
      // The first two swung between too much and nothing.
      {
        numRuns: 30,
        examples: [
          [{ bytesPerMs: 9_166, wayMs: 10, connections: 10 }],
          [{ bytesPerMs: 6_777, wayMs: 12, connections: 7 }],
        ],
      },
    );
  });

  test("a stream uses all of a line on which others have credit that they don't use", () => {
    for (const idleConnections of [0, 1, 3]) {
      const line = { wayMs: 40, bytesPerMs: () => 10 * megabit, idleConnections };
      const moments = after(simulate(line, 9_000), 3_000);
      expect(rateOf(moments, "carriedBytes")).toBeGreaterThan(0.97 * 10 * megabit);
      expect(quantile(moments, 0.95)).toBeLessThan(45);
    }
  });

  test("a new Connection beside a stream begins with the smallest window where the line is slow", () => {
    const moments = simulate({ wayMs: 40, bytesPerMs: () => 2 * megabit, joinsMs: 4_000 }, 9_000);
    expect(quantile(after(moments, 3_500), 1)).toBeLessThan(120);
  });

  test("where a line of 50 Mbit/s falls to 2, little waits within 3 s", () => {
    for (const fallsMs of [4_000, 4_321, 5_050]) {
      const bytesPerMs = (nowMs: number): number => (nowMs < fallsMs ? 50 : 2) * megabit;
      const settled = after(simulate({ wayMs: 40, bytesPerMs }, 12_000), fallsMs + 3_000);
      expect(quantile(settled, 0.95)).toBeLessThan(50);
      expect(rateOf(settled, "carriedBytes")).toBeGreaterThan(0.9 * 2 * megabit);
    }
  });

  test("where a line of 2 Mbit/s rises to 50, all of it is used within 3 s", () => {
    const moments = simulate({ wayMs: 40, bytesPerMs: (nowMs) => (nowMs < 4_000 ? 2 : 50) * megabit }, 9_000);
    expect(rateOf(after(moments, 7_000), "carriedBytes")).toBeGreaterThan(0.95 * 50 * megabit);
  });

  test("where the client pauses now and then, most of the line is still used", () => {
    const asleepUntilMs = (nowMs: number): number => (nowMs % 150 < 30 ? nowMs + 1 : 0);
    const moments = after(simulate({ wayMs: 40, bytesPerMs: () => 10 * megabit, asleepUntilMs }, 12_000), 4_000);
    expect(rateOf(moments, "carriedBytes")).toBeGreaterThan(0.8 * 10 * megabit);
  });

  test.each([-3_600_000, -1_000, 1_000, 3_600_000])(
    "where the router's clock is set by %i ms, the line is used again within 3 s",
    (jumpMs) => {
      const clockErrorMs = (nowMs: number): number => (nowMs < 4_000 ? 0 : jumpMs);
      const moments = simulate({ wayMs: 40, bytesPerMs: () => 10 * megabit, clockErrorMs }, 12_000);
      expect(rateOf(after(moments, 7_000), "carriedBytes")).toBeGreaterThan(0.9 * 10 * megabit);
      expect(quantile(after(moments, 7_000), 0.95)).toBeLessThan(60);
    },
  );

  test("a clock that is a bit too fast or too slow makes no difference", () => {
    for (const drift of [-1e-4, 1e-4]) {
      const line = { wayMs: 40, bytesPerMs: () => 10 * megabit, clockErrorMs: (nowMs: number) => nowMs * drift };
      const moments = after(simulate(line, 30_000), 20_000);
      expect(quantile(moments, 0.5)).toBeLessThan(30);
      expect(rateOf(moments, "carriedBytes")).toBeGreaterThan(0.95 * 10 * megabit);
    }
  });

  test("what waits doesn't become more in the course of a minute", () => {
    const moments = simulate({ wayMs: 40, bytesPerMs: () => 10 * megabit }, 70_000);
    expect(quantile(after(moments, 60_000), 0.5)).toBeLessThan(30);
  });

  test("where the router doesn't tell its clock, the line is used", () => {
    const moments = simulate({ wayMs: 40, bytesPerMs: () => 10 * megabit, isClocked: false }, 9_000);
    expect(rateOf(after(moments, 4_000), "carriedBytes")).toBeGreaterThan(0.99 * 10 * megabit);
  });

  test("a fast line costs no more credits than windows do, and no timers", () => {
    const moments = after(simulate({ wayMs: 1, bytesPerMs: () => 200_000 }, 1_000), 200);
    expect(rateOf(moments, "carriedBytes")).toBeGreaterThan(0.9 * 200_000);
    expect(rateOf(moments, "carriedBytes") / rateOf(moments, "credits")).toBeGreaterThan(65_000);
    expect(moments.every(({ timers }) => timers === 0)).toBe(true);
  });
});

describe("turns of credit", () => {
  test("no timer runs while there is no link, and what waits for credit gets it on the next one", () => {
    let [nowMs, timers, grants] = [0, 0, 0];
    const clock = {
      now: () => nowMs,
      after: () => {
        timers++;
        return () => void timers--;
      },
    };
    const downlink = new Downlink(clock);
    downlink.clocked(0);
    for (let count = 1; count < 5; count++) {
      nowMs += 1_000;
      downlink.granted(2_000_000);
      downlink.arrived(1_000_000);
      downlink.clocked(count);
    }
    const granter = { grantStep: () => ++grants < 1 };
    downlink.request(granter);
    expect([grants, timers]).toEqual([0, 1]);
    downlink.pause();
    expect([grants, timers]).toEqual([0, 0]);
    downlink.start();
    expect([grants, timers]).toEqual([1, 0]);
  });
});
