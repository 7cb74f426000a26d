import { routerLimits } from "@messagepasser/protocol";
import { expect, test } from "vitest";
import { Load } from "./load.ts";

const { lateMs, lateTimersBeforeRefusals, lateTimersBeforeShedding, timedEvents, timeEveryMs } = routerLimits;

/** A load whose timers a test makes late. */
class TimedLoad {
  sheds = 0;
  nowMs = 0;
  readonly timers: (() => void)[] = [];
  readonly load = new Load({
    now: () => this.nowMs,
    after: (delayMs, callback) => {
      expect(delayMs).toBe(timeEveryMs);
      this.timers.push(callback);
    },
    shed: () => void this.sheds++,
  });

  events(count: number): void {
    for (let at = 0; at < count; at++) this.load.noteEvent();
  }

  /** The timer goes off. */
  go(byMs: number): void {
    this.nowMs += timeEveryMs + byMs;
    expect(this.timers).toHaveLength(1);
    this.timers.shift()?.();
  }
}

test("an object with few events has no timer, which would keep it in memory", () => {
  const timed = new TimedLoad();
  timed.events(timedEvents - 1);
  expect(timed.timers).toEqual([]);
  timed.events(1);
  timed.events(5);
  timed.go(0);
  expect(timed.timers).toEqual([]);
});

test("an object whose timers are late again and again lets nobody in, and then sheds links until they are not", () => {
  const timed = new TimedLoad();
  timed.events(timedEvents);
  const states = Array.from({ length: lateTimersBeforeShedding + 2 }, () => {
    timed.go(lateMs);
    return [timed.load.isOver, timed.sheds];
  });
  expect(states).toEqual(
    states.map((_, at) => [at + 1 >= lateTimersBeforeRefusals, Math.max(0, at + 2 - lateTimersBeforeShedding)]),
  );
  timed.go(lateMs - 1);
  expect([timed.load.isOver, timed.timers]).toEqual([false, []]);
});

test("one late timer is no overload", () => {
  const timed = new TimedLoad();
  for (let times = 0; times < 10; times++) {
    timed.events(timedEvents);
    timed.go(times % 2 === 0 ? 10 * lateMs : 0);
    expect(timed.load.isOver).toBe(false);
  }
  expect(timed.sheds).toBe(0);
});
