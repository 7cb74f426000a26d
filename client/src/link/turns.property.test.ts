import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Turn, Turns } from "./turns.ts";

/** Somebody with so many frames to send, who notes when it was their turn. */
function sender(name: number, frames: number, log: number[]): Turn {
  let left = frames;
  return {
    takeTurn: () => {
      log.push(name);
      return --left > 0;
    },
  };
}

/** How much fits before the link is full, each time that it is served. */
const rounds = fc.array(fc.nat(12), { maxLength: 30 });
const needs = fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 8 });

describe("senders that take turns", () => {
  test("senders with data write one after the other, each as often as it needs, and no more than fits", () => {
    fc.assert(
      fc.property(needs, rounds, (frames, capacities) => {
        const turns = new Turns();
        const log: number[] = [];
        for (const [name, count] of frames.entries()) turns.add(sender(name, count, log));
        // Where all have come at the start, nobody has two turns more than another who still has something.
        const order: number[] = [];
        for (let round = 0; round < 9; round++) {
          for (const [name, count] of frames.entries()) if (round < count) order.push(name);
        }
        for (const capacity of [...capacities, order.length]) {
          const before = log.length;
          turns.serve(() => log.length - before === capacity);
          expect(log.length - before).toBe(Math.min(capacity, order.length - before));
          expect(log).toEqual(order.slice(0, log.length));
        }
      }),
    );
  });

  test("a sender that comes late gets the next turn, however many others wait that had one", () => {
    fc.assert(
      fc.property(needs, fc.nat(40), (frames, latecomer) => {
        const turns = new Turns();
        const log: number[] = [];
        for (const [name, count] of frames.entries()) turns.add(sender(name, count * 10, log));
        turns.serve(() => log.length >= frames.length + latecomer);
        turns.add(sender(-1, 1, log));
        const before = log.length;
        turns.serve(() => log.includes(-1));
        expect(log.length - before).toBe(1);
      }),
    );
  });

  test("a sender that waits has its turn within two turns of each other one, however often those come anew", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.array(fc.nat(5), { maxLength: 60 }), (count, comers) => {
        const turns = new Turns();
        const log: number[] = [];
        turns.add(sender(-1, Infinity, log));
        const others = Array.from({ length: count }, (_, name) => sender(name, Infinity, log));
        const once = others.map((other) => ({ takeTurn: () => other.takeTurn() && false }));
        for (const comer of [...comers, ...comers]) {
          const turn = once[comer % count];
          if (turn !== undefined) turns.add(turn);
          const before = log.length;
          turns.serve(() => log.length > before);
        }
        const waits = log
          .join(" ")
          .split("-1")
          .map((between) => between.trim().split(" ").filter(Boolean).length);
        expect(Math.max(...waits)).toBeLessThanOrEqual(2 * count);
      }),
    );
  });

  test("senders write nothing while the link is full, and are not forgotten", () => {
    const turns = new Turns();
    const log: number[] = [];
    turns.add(sender(1, 2, log));
    turns.serve(() => true);
    expect(log).toEqual([]);
    turns.serve(() => false);
    expect(log).toEqual([1, 1]);
  });

  test("a sender has no more turns than others if it asks again and again", () => {
    const turns = new Turns();
    const log: number[] = [];
    const [one, other] = [sender(1, 4, log), sender(2, 4, log)];
    for (const turn of [one, one, other, one]) turns.add(turn);
    turns.serve(() => log.length === 4);
    expect(log).toEqual([1, 2, 1, 2]);
  });
});
