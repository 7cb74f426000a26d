import { encodeBatch, limits, routerAddress } from "@messagepasser/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { markBytes, Meter, Outstanding } from "./unread.ts";

const { firstMarkBytes, markEveryBytes, maxBudgetBytes, maxOutstandingBytes, minWindowBytes } = limits;
const chunkBytes = 65_536;

function outstandingOf(): Outstanding {
  let token = 0;
  return new Outstanding(() => ++token);
}

/** A link whose first mark was sent and reached. */
function settled(outstanding: Outstanding): Meter {
  const meter = new Meter();
  outstanding.reached(meter, outstanding.count(meter, firstMarkBytes));
  return meter;
}

/** Sends while it is allowed, at most so many bytes; returns how many. */
function fill(outstanding: Outstanding, meter: Meter, mostBytes = Infinity): number {
  let sentBytes = 0;
  while (sentBytes + chunkBytes <= mostBytes && outstanding.admits(meter, chunkBytes)) {
    outstanding.count(meter, chunkBytes);
    sentBytes += chunkBytes;
  }
  return sentBytes;
}

describe("marks", () => {
  test("are as long as they are counted", () => {
    expect(encodeBatch(routerAddress, { kind: "mark", token: 1, budget: 1 })).toHaveLength(markBytes);
  });

  test("come after so many bytes, not one less, and a link's first one early", () => {
    const outstanding = outstandingOf();
    const meter = new Meter();
    expect(outstanding.count(meter, firstMarkBytes - 1)).toBe(0);
    expect(outstanding.heldBytes).toBe(0);
    expect(outstanding.count(meter, 1)).toBe(1);
    expect(outstanding.heldBytes).toBe(firstMarkBytes + markBytes);
    expect(outstanding.count(meter, markEveryBytes - 1)).toBe(0);
    expect(outstanding.count(meter, 1)).toBe(2);
    expect(outstanding.heldBytes).toBe(firstMarkBytes + markEveryBytes + 2 * markBytes);
    expect(outstanding.reached(meter, 2)).toBe(0);
    expect(outstanding.count(meter, markEveryBytes - 1)).toBe(0);
    expect(outstanding.heldBytes).toBe(0);
    expect(outstanding.count(meter, 1)).toBe(3);
  });

  test("that are reached free what stands before them; a tail behind the last one is free as well", () => {
    const outstanding = outstandingOf();
    const meter = settled(outstanding);
    expect(outstanding.count(meter, markEveryBytes)).toBe(2);
    expect(outstanding.count(meter, markEveryBytes)).toBe(3);
    outstanding.count(meter, markEveryBytes - 1);
    expect(outstanding.reached(meter, 2)).toBe(0);
    expect(outstanding.heldBytes).toBe(2 * markEveryBytes + markBytes - 1);
    expect(outstanding.reached(meter, 3)).toBe(0);
    expect(outstanding.heldBytes).toBe(0);
    // The tail is still there for the next mark.
    expect(outstanding.count(meter, 1)).toBe(4);
    expect(outstanding.heldBytes).toBe(markEveryBytes + markBytes);
  });

  test("come earlier once many links have tails, and at their old distance when those are gone", () => {
    const outstanding = outstandingOf();
    const others = Array.from({ length: 6 }, () => settled(outstanding));
    for (const other of others) expect(outstanding.count(other, markEveryBytes - 1)).toBe(0);
    const meter = settled(outstanding);
    expect(outstanding.count(meter, firstMarkBytes - 1)).toBe(0);
    const token = outstanding.count(meter, 1);
    expect(token).toBeGreaterThan(0);
    // Behind a mark that is under way there is no hurry.
    expect(outstanding.count(meter, firstMarkBytes)).toBe(0);
    expect(outstanding.reached(meter, token)).toBe(token + 1);
    expect(outstanding.heldBytes).toBe(firstMarkBytes + markBytes);
    expect(outstanding.reached(meter, token + 1)).toBe(0);
    for (const other of others) outstanding.end(other);
    expect(outstanding.count(meter, markEveryBytes - 1)).toBe(0);
    expect(outstanding.count(meter, 1)).toBe(token + 2);
  });

  test("may be reached out of turn: a later one stands for those before it", () => {
    const outstanding = outstandingOf();
    const meter = new Meter();
    outstanding.count(meter, markEveryBytes);
    outstanding.count(meter, markEveryBytes);
    outstanding.count(meter, markEveryBytes);
    outstanding.reached(meter, 2);
    expect(outstanding.heldBytes).toBe(markEveryBytes + markBytes);
    outstanding.reached(meter, 1);
    expect(outstanding.heldBytes).toBe(markEveryBytes + markBytes);
  });

  test("never have the token 0", () => {
    const outstanding = new Outstanding(() => 0);
    expect(outstanding.count(new Meter(), markEveryBytes)).toBe(1);
  });

  test("of another link aren't this one's", () => {
    const outstanding = outstandingOf();
    const [one, other] = [new Meter(), new Meter()];
    const token = outstanding.count(one, markEveryBytes);
    outstanding.count(other, markEveryBytes);
    outstanding.reached(other, token);
    expect(outstanding.heldBytes).toBe(2 * (markEveryBytes + markBytes));
  });

  test("can't be guessed: who sends many tokens that it never got isn't listened to any more", () => {
    const outstanding = outstandingOf();
    const [honest, guessing] = [new Meter(), new Meter()];
    const tokens = [honest, guessing].map((meter) => outstanding.count(meter, markEveryBytes));
    for (let guess = 0; guess < 1_024; guess++) outstanding.reached(honest, 0xffff_ffff);
    for (let guess = 0; guess < 1_025; guess++) outstanding.reached(guessing, 0xffff_ffff);
    outstanding.reached(honest, tokens[0] ?? 0);
    outstanding.reached(guessing, tokens[1] ?? 0);
    expect(honest.heldBytes).toBe(0);
    expect(guessing.heldBytes).toBe(markEveryBytes + markBytes);
  });
});

describe("the cap", () => {
  test("gives a link that is alone a third of it", () => {
    const outstanding = outstandingOf();
    const sentBytes = fill(outstanding, new Meter());
    expect(sentBytes).toBeGreaterThan(maxOutstandingBytes / 3 - chunkBytes - 10_000);
    expect(sentBytes).toBeLessThanOrEqual(maxOutstandingBytes / 3);
  });

  test("is at the limit exact to a byte", () => {
    const outstanding = outstandingOf();
    const meter = new Meter();
    fill(outstanding, meter);
    const roomBytes = Math.floor((maxOutstandingBytes - outstanding.heldBytes) / 2 - meter.heldBytes);
    expect(outstanding.admits(meter, roomBytes)).toBe(true);
    expect(outstanding.admits(meter, roomBytes + 1)).toBe(false);
  });

  test("is never passed, however many links don't read, and each new one is still sent something while there is room", () => {
    const outstanding = outstandingOf();
    let links = 0;
    for (;;) {
      const sentBytes = fill(outstanding, new Meter());
      expect(outstanding.heldBytes).toBeLessThanOrEqual(maxOutstandingBytes);
      if (sentBytes === 0) break;
      links++;
    }
    expect(links).toBeGreaterThan(10);
    expect(outstanding.isExhausted(new Meter(), chunkBytes)).toBe(true);
  });

  test("leaves a link that reads as much as before beside one that doesn't", () => {
    const outstanding = outstandingOf();
    const [stalled, reading] = [new Meter(), new Meter()];
    fill(outstanding, stalled);
    for (let sentBytes = 0; sentBytes < 10 * maxOutstandingBytes; sentBytes += chunkBytes) {
      expect(outstanding.admits(reading, chunkBytes)).toBe(true);
      outstanding.count(reading, chunkBytes);
      while (reading.marks.length > 0) outstanding.reached(reading, reading.marks[0]?.token ?? 0);
    }
    expect(reading.heldBytes).toBe(0);
  });

  test("is reached when links that are closing hold three quarters of it, until they are gone", () => {
    const outstanding = outstandingOf();
    const closed: Meter[] = [];
    const isExhausted = (): boolean => outstanding.isExhausted(new Meter(), 0);
    while (!isExhausted()) {
      const meter = new Meter();
      expect(fill(outstanding, meter)).toBeGreaterThan(0);
      outstanding.close(meter);
      closed.push(meter);
    }
    expect(outstanding.closingBytes).toBe(outstanding.heldBytes);
    expect(outstanding.closingBytes).toBeGreaterThan((maxOutstandingBytes * 3) / 4);
    for (const meter of closed) {
      // Whatever it answers still.
      outstanding.reached(meter, meter.marks[0]?.token ?? 0);
      outstanding.end(meter);
      outstanding.end(meter);
    }
    expect([outstanding.heldBytes, outstanding.closingBytes]).toEqual([0, 0]);
  });
});

describe("early data", () => {
  test("is taken by a link within half of what it may have", () => {
    const outstanding = outstandingOf();
    const meter = new Meter();
    expect(outstanding.admitsEarly(meter, chunkBytes)).toBe(true);
    // q = (cap - q) / 4 where it is a fifth of the cap.
    fill(outstanding, meter, maxOutstandingBytes / 5 - 2 * chunkBytes);
    expect(outstanding.admitsEarly(meter, chunkBytes)).toBe(true);
    fill(outstanding, meter, 2 * chunkBytes);
    expect(outstanding.admitsEarly(meter, chunkBytes)).toBe(false);
    expect(outstanding.admits(meter, chunkBytes)).toBe(true);
  });
});

describe("the budget", () => {
  test("is the most that there is without load, and can be used up with half as much again of headers", () => {
    const outstanding = outstandingOf();
    const meter = new Meter();
    expect(outstanding.budgetOf(meter)).toBe(maxBudgetBytes);
    expect(fill(outstanding, meter)).toBeGreaterThan(1.5 * maxBudgetBytes);
  });

  test("doesn't fall by what a link has unread itself, but by what others have, down to nothing", () => {
    const outstanding = outstandingOf();
    const [own, other] = [new Meter(), new Meter()];
    fill(outstanding, own);
    expect(outstanding.budgetOf(own)).toBe(maxBudgetBytes);
    const budgets = [outstanding.budgetOf(other)];
    expect(budgets[0]).toBeLessThan(maxBudgetBytes);
    while (fill(outstanding, new Meter()) > 0) budgets.push(outstanding.budgetOf(other));
    expect(budgets).toEqual(budgets.toSorted((left, right) => right - left));
    expect(budgets.at(-1)).toBeLessThan(chunkBytes);
    expect(budgets.at(-1)).toBeGreaterThanOrEqual(0);
  });

  test("that a client is told grows to twice the one before at most, and falls at once", () => {
    const outstanding = outstandingOf();
    const meter = new Meter();
    expect(outstanding.tellBudget(meter, 1_000)).toBe(Math.floor(maxBudgetBytes / 1_000));
    expect(outstanding.tellBudget(meter)).toBe(2 * Math.floor(maxBudgetBytes / 1_000));
    for (let told = 0; told < 20; told++) outstanding.tellBudget(meter);
    expect(outstanding.tellBudget(meter)).toBe(maxBudgetBytes);
    expect(outstanding.tellBudget(meter, 1_000_000)).toBe(10);
    expect(outstanding.tellBudget(meter)).toBe(minWindowBytes);
  });

  test("is an equal share where many links are busy, or may be soon, and as before when they are done", () => {
    const outstanding = outstandingOf();
    const share = Math.floor(maxBudgetBytes / 100);
    expect(outstanding.budgetOf(new Meter(), 100)).toBe(share);
    const busy = Array.from({ length: 100 }, () => new Meter());
    const tokens = busy.map((meter) => outstanding.count(meter, firstMarkBytes));
    expect(outstanding.budgetOf(new Meter())).toBe(share);
    for (const [at, meter] of busy.entries()) {
      if (at % 2 === 0) outstanding.reached(meter, tokens[at] ?? 0);
      else outstanding.end(meter);
    }
    expect(outstanding.budgetOf(new Meter())).toBe(maxBudgetBytes);
  });
});

describe("any order of sending, reading, closing and going", () => {
  /** What a link was sent since its start, and where in that its marks stand. */
  class ModelLink {
    readonly meter = new Meter();
    sentBytes = 0;
    reachedBytes = 0;
    marks: { token: number; endBytes: number }[] = [];
    isGone = false;

    get heldBytes(): number {
      return this.marks.length > 0 ? this.sentBytes - this.reachedBytes : 0;
    }

    mark(token: number): void {
      if (token === 0) return;
      this.sentBytes += markBytes;
      this.marks.push({ token, endBytes: this.sentBytes });
    }
  }

  // As many as make marks come early.
  const links = 20;
  const step = fc.record({
    who: fc.nat(links - 1),
    act: fc.oneof(
      fc.record({ do: fc.constant("send" as const), bytes: fc.integer({ min: 1, max: limits.maxBatchBytes }) }),
      fc.record({
        do: fc.constant("burst" as const),
        count: fc.oneof(fc.constant(3), fc.integer({ min: 1, max: 300 })),
      }),
      fc.record({ do: fc.constant("reach" as const), mark: fc.nat(80) }),
      fc.record({ do: fc.constantFrom("guess" as const, "close" as const, "go" as const) }),
    ),
  });

  test("holds what stands behind the last mark that was reached, and in all never more than the cap", () => {
    const property = fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const outstanding = outstandingOf();
      const realm = Array.from({ length: links }, () => new ModelLink());
      const send = (link: ModelLink, bytes: number): void => {
        if (link.meter.isClosing || !outstanding.admits(link.meter, bytes)) return;
        const token = outstanding.count(link.meter, bytes);
        link.sentBytes += bytes;
        link.mark(token);
      };
      for (const { who, act } of steps) {
        const link = realm[who] ?? new ModelLink();
        if (act.do === "send") send(link, act.bytes);
        else if (act.do === "burst") for (let at = 0; at < act.count; at++) send(link, chunkBytes);
        else if (act.do === "guess") expect(outstanding.reached(link.meter, 0xffff_ffff)).toBe(0);
        else if (act.do === "close") outstanding.close(link.meter);
        else if (act.do === "go") {
          outstanding.end(link.meter);
          realm[who] = new ModelLink();
        } else if (act.do === "reach") {
          const mark = link.marks[act.mark % Math.max(1, link.marks.length)];
          if (mark === undefined) continue;
          const token = outstanding.reached(link.meter, mark.token);
          if (!link.meter.isClosing) {
            link.marks = link.marks.filter(({ endBytes }) => endBytes > mark.endBytes);
            link.reachedBytes = mark.endBytes;
            link.mark(token);
          }
        }
        for (const { meter, heldBytes, sentBytes, reachedBytes } of realm) {
          expect(meter.heldBytes).toBe(heldBytes);
          if (heldBytes === 0) expect(sentBytes - reachedBytes).toBeLessThan(markEveryBytes);
        }
        const sumOf = (some: ModelLink[]): number => some.reduce((sum, { heldBytes }) => sum + heldBytes, 0);
        expect(outstanding.heldBytes).toBe(sumOf(realm));
        expect(outstanding.closingBytes).toBe(sumOf(realm.filter(({ meter }) => meter.isClosing)));
        expect(outstanding.heldBytes).toBeLessThanOrEqual(maxOutstandingBytes);
        const tailBytes = realm
          .filter(({ marks }) => marks.length === 0)
          .reduce((sum, { sentBytes, reachedBytes }) => sum + sentBytes - reachedBytes, 0);
        expect(tailBytes).toBeLessThan(6 * markEveryBytes + links * firstMarkBytes);
      }
    });
    fc.assert(property, { numRuns: 300 });
  });
});
