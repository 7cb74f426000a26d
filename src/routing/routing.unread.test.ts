import { encodeBatch, limits, routerAddress, routerLimits } from "@messagepasser/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Meter } from "./meter.ts";
import { Account, Group } from "./principals.ts";
import { markBytes, UnreadLimiter } from "./unread.ts";

const { firstMarkBytes, markEveryBytes, maxBudgetBytes, maxUnreadBytes, minWindowBytes } = limits;
const chunkBytes = 65_536;

function unreadOf(): UnreadLimiter {
  let token = 0;
  return new UnreadLimiter({ now: () => 0, randomU32: () => ++token });
}

/** A new link of a client of its own. */
function linkOf(unread: UnreadLimiter, account = new Account()): Meter {
  const meter = new Meter(account);
  unread.begin(meter);
  return meter;
}

/** A link whose first mark was sent and reached. */
function settled(unread: UnreadLimiter): Meter {
  const meter = linkOf(unread);
  unread.reached(meter, unread.count(meter, firstMarkBytes));
  return meter;
}

/** Sends while it is allowed, at most so many bytes; returns how many. */
function fill(unread: UnreadLimiter, meter: Meter, mostBytes = Infinity): number {
  let sentBytes = 0;
  while (sentBytes + chunkBytes <= mostBytes && unread.admits(meter, chunkBytes)) {
    unread.count(meter, chunkBytes);
    sentBytes += chunkBytes;
  }
  return sentBytes;
}

describe("marks", () => {
  test("marks are as long as the bytes that are counted for them", () => {
    expect(encodeBatch(routerAddress, { kind: "mark", token: 1, budget: 1 })).toHaveLength(markBytes);
  });

  test("a mark comes after exactly its number of bytes, and a link's first one comes early", () => {
    const unread = unreadOf();
    const meter = linkOf(unread);
    expect(unread.count(meter, firstMarkBytes - 1)).toBe(0);
    expect(unread.heldBytes).toBe(0);
    expect(unread.count(meter, 1)).toBe(1);
    expect(unread.heldBytes).toBe(firstMarkBytes + markBytes);
    expect(unread.count(meter, markEveryBytes - 1)).toBe(0);
    expect(unread.count(meter, 1)).toBe(2);
    expect(unread.heldBytes).toBe(firstMarkBytes + markEveryBytes + 2 * markBytes);
    expect(unread.reached(meter, 2)).toBe(0);
    expect(unread.count(meter, markEveryBytes - 1)).toBe(0);
    expect(unread.heldBytes).toBe(0);
    expect(unread.count(meter, 1)).toBe(3);
  });

  test("a mark that is reached frees the bytes before it, and a tail behind the last mark is free as well", () => {
    const unread = unreadOf();
    const meter = settled(unread);
    expect(unread.count(meter, markEveryBytes)).toBe(2);
    expect(unread.count(meter, markEveryBytes)).toBe(3);
    unread.count(meter, markEveryBytes - 1);
    expect(unread.reached(meter, 2)).toBe(0);
    expect(unread.heldBytes).toBe(2 * markEveryBytes + markBytes - 1);
    expect(unread.reached(meter, 3)).toBe(0);
    expect(unread.heldBytes).toBe(0);
    // The tail is still there for the next mark.
    expect(unread.count(meter, 1)).toBe(4);
    expect(unread.heldBytes).toBe(markEveryBytes + markBytes);
  });

  test("marks come closer together once many links have tails, and at their old distance when those are gone", () => {
    const unread = unreadOf();
    const others = Array.from({ length: 6 }, () => settled(unread));
    for (const other of others) expect(unread.count(other, markEveryBytes - 1)).toBe(0);
    const meter = settled(unread);
    expect(unread.count(meter, firstMarkBytes - 1)).toBe(0);
    const token = unread.count(meter, 1);
    expect(token).toBeGreaterThan(0);
    // Behind a mark that is under way there is no hurry.
    expect(unread.count(meter, firstMarkBytes)).toBe(0);
    expect(unread.reached(meter, token)).toBe(token + 1);
    expect(unread.heldBytes).toBe(firstMarkBytes + markBytes);
    expect(unread.reached(meter, token + 1)).toBe(0);
    for (const other of others) unread.end(other);
    expect(unread.count(meter, markEveryBytes - 1)).toBe(0);
    expect(unread.count(meter, 1)).toBe(token + 2);
  });

  test("marks may be reached out of turn: a later one stands for those before it", () => {
    const unread = unreadOf();
    const meter = linkOf(unread);
    unread.count(meter, markEveryBytes);
    unread.count(meter, markEveryBytes);
    unread.count(meter, markEveryBytes);
    unread.reached(meter, 2);
    expect(unread.heldBytes).toBe(markEveryBytes + markBytes);
    unread.reached(meter, 1);
    expect(unread.heldBytes).toBe(markEveryBytes + markBytes);
  });

  test("marks never have the token 0", () => {
    const unread = new UnreadLimiter({ now: () => 0, randomU32: () => 0 });
    expect(unread.count(linkOf(unread), markEveryBytes)).toBe(1);
  });

  test("marks of another link don't count for this one", () => {
    const unread = unreadOf();
    const [one, other] = [linkOf(unread), linkOf(unread)];
    const token = unread.count(one, markEveryBytes);
    unread.count(other, markEveryBytes);
    unread.reached(other, token);
    expect(unread.heldBytes).toBe(2 * (markEveryBytes + markBytes));
  });

  test("marks can't be guessed: a client that sends many unknown tokens is no longer heeded", () => {
    const unread = unreadOf();
    const [honest, guessing] = [linkOf(unread), linkOf(unread)];
    const tokens = [honest, guessing].map((meter) => unread.count(meter, markEveryBytes));
    for (let guess = 0; guess < 1_024; guess++) unread.reached(honest, 0xffff_ffff);
    for (let guess = 0; guess < 1_025; guess++) unread.reached(guessing, 0xffff_ffff);
    unread.reached(honest, tokens[0] ?? 0);
    unread.reached(guessing, tokens[1] ?? 0);
    expect(honest.heldBytes).toBe(0);
    expect(guessing.heldBytes).toBe(markEveryBytes + markBytes);
  });
});

describe("the cap", () => {
  test("the cap gives a link that is alone a third of it", () => {
    const unread = unreadOf();
    const sentBytes = fill(unread, linkOf(unread));
    expect(sentBytes).toBeGreaterThan(maxUnreadBytes / 3 - chunkBytes - 10_000);
    expect(sentBytes).toBeLessThanOrEqual(maxUnreadBytes / 3);
  });

  test("the cap is exact to a byte", () => {
    const unread = unreadOf();
    const meter = linkOf(unread);
    fill(unread, meter);
    const roomBytes = Math.floor((maxUnreadBytes - unread.heldBytes) / 2 - meter.heldBytes);
    expect(unread.admits(meter, roomBytes)).toBe(true);
    expect(unread.admits(meter, roomBytes + 1)).toBe(false);
  });

  test("the cap is never passed, however many links don't read, and each new link still gets something while there is room", () => {
    const unread = unreadOf();
    let links = 0;
    for (;;) {
      const sentBytes = fill(unread, linkOf(unread));
      expect(unread.heldBytes).toBeLessThanOrEqual(maxUnreadBytes);
      if (sentBytes === 0) break;
      links++;
    }
    expect(links).toBeGreaterThan(10);
    expect(unread.isExhausted(linkOf(unread), chunkBytes)).toBe(true);
  });

  test("the cap leaves a reading link as much as before beside one that doesn't read", () => {
    const unread = unreadOf();
    const [stalled, reading] = [linkOf(unread), linkOf(unread)];
    fill(unread, stalled);
    for (let sentBytes = 0; sentBytes < 10 * maxUnreadBytes; sentBytes += chunkBytes) {
      expect(unread.admits(reading, chunkBytes)).toBe(true);
      unread.count(reading, chunkBytes);
      while (reading.marks.length > 0) unread.reached(reading, reading.marks[0]?.token ?? 0);
    }
    expect(reading.heldBytes).toBe(0);
  });

  test("the cap is reached when closing links hold three quarters of it, until they are gone", () => {
    const unread = unreadOf();
    const closed: Meter[] = [];
    const isExhausted = (): boolean => unread.isExhausted(linkOf(unread), 0);
    while (!isExhausted()) {
      const meter = linkOf(unread);
      expect(fill(unread, meter)).toBeGreaterThan(0);
      unread.close(meter);
      closed.push(meter);
    }
    expect(unread.closingBytes).toBe(unread.heldBytes);
    expect(unread.closingBytes).toBeGreaterThan((maxUnreadBytes * 3) / 4);
    for (const meter of closed) {
      // Any of its answers.
      unread.reached(meter, meter.marks[0]?.token ?? 0);
      unread.end(meter);
      unread.end(meter);
    }
    expect([unread.heldBytes, unread.closingBytes]).toEqual([0, 0]);
  });
});

describe("a first message", () => {
  test("a first message is taken by a link within half of its unread bytes", () => {
    const unread = unreadOf();
    const meter = linkOf(unread);
    expect(unread.admitsFirst(meter, chunkBytes)).toBe(true);
    // q = (cap - q) / 4 where it is a fifth of the cap.
    fill(unread, meter, maxUnreadBytes / 5 - 2 * chunkBytes);
    expect(unread.admitsFirst(meter, chunkBytes)).toBe(true);
    fill(unread, meter, 2 * chunkBytes);
    expect(unread.admitsFirst(meter, chunkBytes)).toBe(false);
    expect(unread.admits(meter, chunkBytes)).toBe(true);
  });
});

describe("the budget", () => {
  /** A link whose speed is a reason for the largest budget. */
  function fastLinkOf(unread: UnreadLimiter, account?: Account): Meter {
    const meter = linkOf(unread, account);
    meter.pace.budgetBytes = maxBudgetBytes;
    meter.budgetBytes = maxBudgetBytes;
    meter.knownBudgetBytes = maxBudgetBytes;
    return meter;
  }

  test("a budget is at its maximum without load, and can be used up with half as much again of headers", () => {
    const unread = unreadOf();
    const meter = fastLinkOf(unread);
    expect(unread.budgetOf(meter)).toBe(maxBudgetBytes);
    expect(fill(unread, meter)).toBeGreaterThan(1.5 * maxBudgetBytes);
  });

  test("a budget falls by what other links haven't read, down to nothing, and not by the link's own unread bytes", () => {
    const unread = unreadOf();
    const [own, other] = [fastLinkOf(unread), fastLinkOf(unread)];
    fill(unread, own);
    expect(unread.budgetOf(own)).toBe(maxBudgetBytes);
    const budgets = [unread.budgetOf(other)];
    expect(budgets[0]).toBeLessThan(maxBudgetBytes);
    while (fill(unread, fastLinkOf(unread)) > 0) budgets.push(unread.budgetOf(other));
    expect(budgets).toEqual(budgets.toSorted((left, right) => right - left));
    expect(budgets.at(-1)).toBeLessThan(chunkBytes);
    expect(budgets.at(-1)).toBeGreaterThanOrEqual(0);
  });

  test("a budget that a client is told grows to at most twice the one before, and falls at once", () => {
    const unread = unreadOf();
    const meter = fastLinkOf(unread);
    for (let at = 1; at < 1_000; at++) fastLinkOf(unread);
    expect(unread.tellBudget(meter, true)).toBe(Math.floor(maxBudgetBytes / 1_000));
    expect(unread.tellBudget(meter)).toBe(2 * Math.floor(maxBudgetBytes / 1_000));
    for (let told = 0; told < 20; told++) unread.tellBudget(meter);
    expect(unread.tellBudget(meter)).toBe(maxBudgetBytes);
    for (let at = 0; at < 2_000; at++) fastLinkOf(unread);
    expect(unread.tellBudget(meter, true)).toBe(Math.floor(maxBudgetBytes / 3_000));
    expect(unread.tellBudget(meter)).toBe(minWindowBytes);
  });

  test("a budget is no smaller for a link that has answered no mark for 30 seconds, and is again once that link goes on", () => {
    let nowMs = 0;
    let token = 0;
    const unread = new UnreadLimiter({ now: () => nowMs, randomU32: () => ++token });
    const [stuck, own] = [fastLinkOf(unread), fastLinkOf(unread)];
    const tokens = [unread.count(stuck, markEveryBytes), unread.count(stuck, markEveryBytes)];
    unread.count(own, firstMarkBytes);
    expect(unread.budgetOf(own)).toBe(maxBudgetBytes / 2);
    nowMs += routerLimits.busyForMs;
    unread.count(own, markEveryBytes);
    unread.reached(own, 3);
    expect(unread.budgetOf(own)).toBe(maxBudgetBytes);
    unread.reached(stuck, tokens[0] ?? 0);
    expect(unread.budgetOf(own)).toBe(maxBudgetBytes / 2);
  });

  test("a budget of one client is shared by its guests, and makes nobody else's smaller, however many those are", () => {
    const unread = unreadOf();
    const host = new Account();
    const guests = new Account(host);
    const own = fastLinkOf(unread);
    const many = Array.from({ length: 100 }, () => fastLinkOf(unread, guests));
    expect(unread.budgetOf(own, true)).toBe(maxBudgetBytes / 2);
    for (const guest of many) unread.count(guest, firstMarkBytes);
    unread.count(own, firstMarkBytes);
    expect(unread.budgetOf(own)).toBe(maxBudgetBytes / 2);
    expect(unread.budgetOf(many[0] ?? own)).toBe(Math.floor(maxBudgetBytes / 200));
  });

  test("a budget is an equal share where many clients are busy or may be soon, and recovers when they are done", () => {
    const unread = unreadOf();
    const share = Math.floor(maxBudgetBytes / 100);
    const busy = Array.from({ length: 100 }, () => fastLinkOf(unread));
    expect(unread.budgetOf(busy[0] ?? fastLinkOf(unread), true)).toBe(share);
    const tokens = busy.map((meter) => unread.count(meter, firstMarkBytes));
    expect(unread.budgetOf(fastLinkOf(unread))).toBe(share);
    for (const [at, meter] of busy.entries()) {
      if (at % 2 === 0) unread.reached(meter, tokens[at] ?? 0);
      else unread.end(meter);
    }
    expect(unread.budgetOf(fastLinkOf(unread))).toBe(maxBudgetBytes);
  });
});

describe("any order of sends, reads, closes and leaves", () => {
  /** The bytes that a link was sent since its start, and the places of its marks in them. */
  class ModelLink {
    readonly meter: Meter;
    sentBytes = 0;
    reachedBytes = 0;
    marks: { token: number; endBytes: number }[] = [];

    constructor(meter: Meter) {
      this.meter = meter;
    }

    get isClosing(): boolean {
      return this.meter.state === "closing";
    }

    /** The tail behind the last mark counts once the link is closed. */
    get heldBytes(): number {
      return this.marks.length > 0 || this.isClosing ? this.sentBytes - this.reachedBytes : 0;
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
      fc.record({ do: fc.constantFrom("guess" as const, "close" as const, "go" as const, "come again" as const) }),
    ),
  });
  const sumOf = (some: ModelLink[]): number => some.reduce((sum, { heldBytes }) => sum + heldBytes, 0);
  const tailOf = (some: ModelLink[]): number =>
    some
      .filter(({ marks, isClosing }) => marks.length === 0 && !isClosing)
      .reduce((sum, { sentBytes, reachedBytes }) => sum + sentBytes - reachedBytes, 0);
  const mostTailBytes = 6 * markEveryBytes + links * firstMarkBytes;

  /** Runs steps on links of these accounts; `check` gets all links after each step. */
  function run(accounts: readonly Account[], steps: readonly StepOf[], check: (realm: Run) => void): void {
    const unread = unreadOf();
    const realm = accounts.map((account) => new ModelLink(linkOf(unread, account)));
    const closed: ModelLink[] = [];
    const send = (link: ModelLink, bytes: number): void => {
      if (link.isClosing || !unread.admits(link.meter, bytes)) return;
      const token = unread.count(link.meter, bytes);
      link.sentBytes += bytes;
      link.mark(token);
    };
    for (const { who, act } of steps) {
      const link = realm[who];
      if (link === undefined) continue;
      const { account } = link.meter;
      if (act.do === "send") send(link, act.bytes);
      else if (act.do === "burst") for (let at = 0; at < act.count; at++) send(link, chunkBytes);
      else if (act.do === "guess") expect(unread.reached(link.meter, 0xffff_ffff)).toBe(0);
      else if (act.do === "close") unread.close(link.meter);
      else if (act.do === "go") {
        unread.end(link.meter);
        realm[who] = new ModelLink(linkOf(unread, account));
      } else if (act.do === "come again") {
        unread.close(link.meter);
        if (!unread.mayBegin(account)) continue;
        closed.push(link);
        realm[who] = new ModelLink(linkOf(unread, account));
      } else if (act.do === "reach") {
        const mark = link.marks[act.mark % Math.max(1, link.marks.length)];
        if (mark === undefined) continue;
        const token = unread.reached(link.meter, mark.token);
        if (!link.isClosing) {
          link.marks = link.marks.filter(({ endBytes }) => endBytes > mark.endBytes);
          link.reachedBytes = mark.endBytes;
          link.mark(token);
        }
      }
      check({ unread, all: [...realm, ...closed] });
    }
  }

  interface Run {
    readonly unread: UnreadLimiter;
    readonly all: ModelLink[];
  }
  type StepOf = typeof step extends fc.Arbitrary<infer Value> ? Value : never;
  const steps = fc.array(step, { maxLength: 80 });

  test("the router holds the bytes behind the last reached mark, and never more than the cap in all", () => {
    const property = fc.property(steps, (all) => {
      const host = new Account();
      const guests = new Account(host);
      // A client with some guests, and others.
      const accounts = Array.from({ length: links }, (_, at) => (at === 0 ? host : at < 8 ? guests : new Account()));
      run(accounts, all, ({ unread, all: realm }) => {
        for (const { meter, heldBytes, sentBytes, reachedBytes } of realm) {
          expect(meter.heldBytes).toBe(heldBytes);
          if (heldBytes === 0) expect(sentBytes - reachedBytes).toBeLessThan(markEveryBytes);
        }
        expect(unread.heldBytes).toBe(sumOf(realm));
        expect(unread.closingBytes).toBe(sumOf(realm.filter(({ isClosing }) => isClosing)));
        expect(unread.heldBytes).toBeLessThanOrEqual(maxUnreadBytes + mostTailBytes);
        expect(tailOf(realm)).toBeLessThan(mostTailBytes);
        for (const account of accounts) {
          const own = realm.filter(({ meter }) => meter.account === account);
          expect(account.heldBytes).toBe(sumOf(own));
          expect(account.closingBytes).toBe(sumOf(own.filter(({ isClosing }) => isClosing)));
        }
      });
    });
    fc.assert(property, { numRuns: 300 });
  });

  test("one client with its guests never makes the object end itself, however often they come again without reading", () => {
    const property = fc.property(steps, (all) => {
      const host = new Account();
      const guests = new Account(host);
      run(
        Array.from({ length: links }, (_, at) => (at < 2 ? host : guests)),
        all,
        ({ unread }) => {
          expect(unread.isExhausted(new Meter(new Account()), limits.maxBatchBytes)).toBe(false);
        },
      );
    });
    fc.assert(property, { numRuns: 300 });
  });
});

describe("the holders of one key's tokens", () => {
  const { maxHoldersUnreadBytes } = routerLimits;

  test("holders of one key that don't read hold half of the cap together, however many they are, and clients have the rest", () => {
    const unread = unreadOf();
    const group = new Group();
    const holders = Array.from({ length: 1_000 }, () => linkOf(unread, new Account(undefined, group)));
    for (const holder of holders) fill(unread, holder);
    expect(group.heldBytes).toBeLessThanOrEqual(maxHoldersUnreadBytes);
    expect(unread.heldBytes).toBe(group.heldBytes);
    for (const holder of holders) unread.close(holder);
    expect(unread.isExhausted(linkOf(unread, new Account(undefined, group)), chunkBytes)).toBe(false);
    const sentBytes = fill(unread, linkOf(unread));
    expect(sentBytes).toBeGreaterThanOrEqual((maxUnreadBytes - maxHoldersUnreadBytes) / 3);
    for (const holder of holders) unread.end(holder);
    expect(group.heldBytes).toBe(0);
  });

  test("the first holder of a key that doesn't read leaves half of what the key's holders have to the others", () => {
    const unread = unreadOf();
    const group = new Group();
    fill(unread, linkOf(unread, new Account(undefined, group)));
    const sentBytes = fill(unread, linkOf(unread, new Account(undefined, group)));
    expect(sentBytes).toBeGreaterThan(maxHoldersUnreadBytes / 5);
  });
});
