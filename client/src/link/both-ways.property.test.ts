import { limits, routerLimits } from "@messagepasser/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { after, megabit, quantile, rateOf } from "../../../test/support/line-moments.ts";
import { Budget } from "../connection/budget.ts";
import { Receiver } from "../connection/receiver.ts";
import { Paths } from "../session/paths.ts";
import { Downlink } from "./downlink.ts";
import { Uplink } from "./uplink.ts";

interface Line {
  /** There and back, while nothing waits. */
  readonly wayMs: number;
  /** In each direction. */
  readonly bytesPerMs: number;
  /** For how long a process of either end is away, from one look at its events to the next. */
  readonly pauseMs?: (random: number) => number;
  readonly seed?: number;
}

interface Moment {
  readonly nowMs: number;
  /** How long what is sent now will wait, in both directions together. */
  readonly queueMs: number;
  /** Bytes of bulk that have arrived. */
  readonly up: number;
  readonly down: number;
}

const tickMs = 0.5;
const messageBytes = 16_384;
const payload = new Uint8Array(messageBytes);
/** Of a segment and its frame, of a segment with a credit, and of one for the router. */
const [headerBytes, creditBytes, routerBytes] = [22, 26, 16];
/** What the router's clock is ahead by. */
const clockErrorMs = 333.3;

/** One direction of a line: a queue, a rate and a delay. */
class Lane {
  readonly #queue: { readonly bytes: number; readonly arrive: () => void }[] = [];
  readonly #arrivals: { readonly atMs: number; readonly arrive: () => void }[] = [];
  #bytes = 0;
  #spare = 0;

  add(bytes: number, arrive: () => void): void {
    this.#queue.push({ bytes, arrive });
    this.#bytes += bytes;
  }

  carry(nowMs: number, { wayMs, bytesPerMs }: Line): void {
    this.#spare = this.#queue.length === 0 ? 0 : this.#spare + bytesPerMs * tickMs;
    for (let first = this.#queue[0]; first !== undefined && this.#spare >= first.bytes; first = this.#queue[0]) {
      this.#queue.shift();
      this.#spare -= first.bytes;
      this.#bytes -= first.bytes;
      this.#arrivals.push({ atMs: nowMs + wayMs / 2, arrive: first.arrive });
    }
  }

  deliver(nowMs: number): void {
    while ((this.#arrivals[0]?.atMs ?? Infinity) <= nowMs) this.#arrivals.shift()?.arrive();
  }

  queueMs({ bytesPerMs }: Line): number {
    return (this.#bytes - this.#spare) / bytesPerMs;
  }
}

/** Alice, on a slow line, and Bob, beside the router, send each other all that they may, in small steps of time. */
function simulate(line: Line, forMs: number): Moment[] {
  const { wayMs, bytesPerMs, pauseMs = () => 0 } = line;
  let [nowMs, state, told, toldMs] = [0, line.seed ?? 1, 0, -Infinity];
  const random = (): number => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647;
  let timers: { readonly atMs: number; readonly call: () => void }[] = [];
  const clock = {
    now: () => nowMs,
    after: (delayMs: number, call: () => void) => {
      const timer = { atMs: nowMs + delayMs, call };
      timers.push(timer);
      return () => void (timers = timers.filter((each) => each !== timer));
    },
  };
  const [up, down] = [new Lane(), new Lane()];
  const uplink = new Uplink(clock.now);
  const [downlink, bobDownlink] = [new Downlink(clock), new Downlink(clock)];
  const carried = { up: 0, down: 0 };

  const tell = (hear: (timeMs: number) => void): void => {
    [told, toldMs] = [0, nowMs];
    const timeMs = Math.floor(nowMs + clockErrorMs);
    down.add(routerBytes, () => {
      hear(timeMs);
      downlink.clocked(timeMs);
    });
  };
  const tellBefore = (bytes: number): void => {
    told += bytes;
    if (told < routerLimits.clockEveryBytes || nowMs - toldMs < routerLimits.clockEveryMs) return;
    tell(() => undefined);
  };
  const measured = (timeMs: number): void => {
    uplink.measured(timeMs);
    if (uplink.isStuck) sendUp(0, () => undefined);
  };
  const sendUp = (bytes: number, arrive: () => void): void => {
    const isMeasured = bytes === 0 || uplink.isDue(bytes);
    const allBytes = bytes + (isMeasured ? routerBytes : 0);
    up.add(allBytes, () => {
      arrive();
      if (isMeasured) tell(measured);
    });
    uplink.sent(allBytes, isMeasured);
    if (uplink.isStuck) sendUp(0, () => undefined);
  };

  /** A stream to a receiver. @param deliver takes its frames. @param answer takes its credit. */
  const stream = (
    [peer, receiverLink]: readonly [string, Downlink],
    deliver: (bytes: number, arrive: () => void) => void,
    answer: (arrive: () => void) => void,
  ): (() => boolean) => {
    const budget = new Budget();
    budget.allow(Math.max(routerLimits.firstBudgetBytes, bytesPerMs * (routerLimits.paceMs + 2 * wayMs)));
    const sink = {
      credit: (_received: number, to: number) => {
        answer(() => void (limit = Math.max(limit, to)));
      },
      unfit: (error: Error) => {
        throw error;
      },
    };
    receiverLink.start();
    const receiver = new Receiver(sink, messageBytes, clock.now, new Paths(budget, receiverLink).to(peer));
    receiver.begin();
    let [sent, left, { limit }] = [0, messageBytes, receiver.position()];
    return () => {
      const bytes = Math.min(
        left,
        limit - sent - limits.frameCostBytes,
        receiverLink === downlink ? Infinity : uplink.pieceBytes,
      );
      if (bytes <= 0) return false;
      left = left === bytes ? messageBytes : left - bytes;
      const offset = sent;
      sent += bytes + limits.frameCostBytes;
      deliver(bytes, () => {
        const frame = { connection: 1, last: true, text: false, offset, payload: payload.subarray(0, bytes) };
        receiver.data({ kind: "data", ...frame });
        void receiver.receive(undefined);
      });
      return true;
    };
  };
  const downstream = stream(
    ["bob", downlink],
    (bytes, arrive) => {
      tellBefore(bytes);
      down.add(bytes + headerBytes, () => {
        carried.down += bytes;
        arrive();
      });
    },
    (arrive) => {
      sendUp(creditBytes, arrive);
    },
  );
  const upstream = stream(
    ["alice", bobDownlink],
    (bytes, arrive) => {
      sendUp(bytes + headerBytes, () => {
        carried.up += bytes;
        arrive();
      });
    },
    (arrive) => {
      down.add(creditBytes, arrive);
    },
  );

  // Before anything waits, as at the first data of a link.
  sendUp(0, () => undefined);
  const moments: Moment[] = [];
  const awakeMs = { router: 0, alice: 0 };
  for (; nowMs < forMs; nowMs += tickMs) {
    if (nowMs >= awakeMs.router) {
      awakeMs.router = nowMs + pauseMs(random());
      up.deliver(nowMs);
      if (nowMs > 100) while (downstream());
    }
    if (nowMs >= awakeMs.alice) {
      awakeMs.alice = nowMs + pauseMs(random());
      const due = timers.filter(({ atMs }) => atMs <= nowMs);
      timers = timers.filter(({ atMs }) => atMs > nowMs);
      for (const { call } of due) call();
      down.deliver(nowMs);
      if (nowMs > 100) while (uplink.roomBytes > 0 && upstream());
    }
    up.carry(nowMs, line);
    down.carry(nowMs, line);
    moments.push({ nowMs, queueMs: up.queueMs(line) + down.queueMs(line), ...carried });
  }
  return moments;
}

describe("streams in both directions", () => {
  test.each([2, 10, 50])("both directions of %i Mbit/s are used, and a round trip waits for 30 ms", (megabits) => {
    const line = { wayMs: 42, bytesPerMs: megabits * megabit };
    const moments = after(simulate(line, 12_000), 4_000);
    expect(quantile(moments, 0.5)).toBeLessThan(35);
    expect(quantile(moments, 0.95)).toBeLessThan(70);
    // Frames, credit and clocks are more of a slow line.
    const part = megabits === 2 ? 0.93 : 0.95;
    expect(rateOf(moments, "down")).toBeGreaterThan(part * line.bytesPerMs);
    expect(rateOf(moments, "up")).toBeGreaterThan((part - 0.02) * line.bytesPerMs);
  });

  test("on any line a round trip beside streams both ways waits little, though both ends pause now and then", () => {
    const anyLine = fc.record({
      bytesPerMs: fc.integer({ min: 2 * megabit, max: 50 * megabit }),
      wayMs: fc.integer({ min: 10, max: 120 }),
      seed: fc.integer({ min: 1, max: 2_147_483_646 }),
    });
    const pauseMs = (random: number): number => (random < 0.02 ? 8 : random < 0.1 ? 3 : 1);
    fc.assert(
      fc.property(anyLine, (line) => {
        const moments = after(simulate({ ...line, pauseMs }, 8_000), 4_000);
        expect(quantile(moments, 0.5)).toBeLessThan(60 + line.wayMs / 5);
        expect(rateOf(moments, "up")).toBeGreaterThan(0.8 * line.bytesPerMs);
        expect(rateOf(moments, "down")).toBeGreaterThan(0.8 * line.bytesPerMs);
      }),
      { numRuns: 10 },
    );
  });
});
