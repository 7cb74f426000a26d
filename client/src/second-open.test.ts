import { limits } from "@messagepasser/protocol";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Channel } from "./connection/channel.ts";
import { ConnectionError, type ConnectionErrorCode } from "./errors.ts";
import { systemClock } from "./link/platform.ts";
import { firstAccepted, isOneFrame } from "./second-open.ts";

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

const wait = { patienceMs: 100, timeoutMs: 20_000, signal: undefined };

/** A channel that is accepted and refused by hand, as far as `firstAccepted` looks at it. */
function channelOf({ isKnown = true, hasStrayed = false } = {}) {
  const accepted = Promise.withResolvers<undefined>();
  accepted.promise.catch(() => undefined);
  const state = {
    accepted,
    isReset: false,
    fail: (code: ConnectionErrorCode) => {
      Object.assign(channel, { isOver: true });
      accepted.reject(new ConnectionError(code, code, { peer: "bob", protocol: "chat" }));
    },
  };
  const channel = {
    accepted: accepted.promise,
    isOver: false,
    start: { home: { peer: isKnown ? { session: "7" } : undefined, hasStrayed }, shared: { clock: systemClock } },
    error: () => new Error("withdrawn"),
    reset: () => void (state.isReset = true),
  };
  return { state, channel: channel as unknown as Channel };
}

describe("an open that is not answered", () => {
  test("an open that is answered in time goes nowhere else", async () => {
    const first = channelOf();
    const another = vi.fn<() => Channel>();
    const accepted = firstAccepted(first.channel, wait, another);
    await vi.advanceTimersByTimeAsync(99);
    first.state.accepted.resolve(undefined);
    expect(await accepted).toBe(first.channel);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(another).not.toHaveBeenCalled();
    expect(first.state.isReset).toBe(false);
  });

  test.each([
    ["the second", "the first"],
    ["the first", "the second"],
  ])("an open that %s of two sessions accepts is withdrawn from %s", async (winner) => {
    const [first, second] = [channelOf(), channelOf()];
    const another = vi.fn<(but: string) => Channel>(() => second.channel);
    const accepted = firstAccepted(first.channel, wait, another);
    await vi.advanceTimersByTimeAsync(100);
    expect(another.mock.calls).toEqual([["7"]]);
    const [won, lost] = winner === "the first" ? [first, second] : [second, first];
    won.state.accepted.resolve(undefined);
    expect(await accepted).toBe(won.channel);
    expect([won.state.isReset, lost.state.isReset]).toEqual([false, true]);
  });

  test("an open that no other session takes may still be accepted by the first", async () => {
    const [first, second] = [channelOf(), channelOf()];
    const accepted = firstAccepted(first.channel, wait, () => second.channel);
    await vi.advanceTimersByTimeAsync(100);
    second.state.fail("peer-absent");
    await vi.advanceTimersByTimeAsync(1_000);
    first.state.accepted.resolve(undefined);
    expect(await accepted).toBe(first.channel);
  });

  test("an open that the first session rejects fails, and is withdrawn from the second", async () => {
    const [first, second] = [channelOf(), channelOf()];
    const accepted = firstAccepted(first.channel, wait, () => second.channel);
    await vi.advanceTimersByTimeAsync(100);
    first.state.fail("rejected");
    await expect(accepted).rejects.toMatchObject({ code: "rejected" });
    expect(second.state.isReset).toBe(true);
  });

  test("an open that no session answers is given up after its time-out", async () => {
    const [first, second] = [channelOf(), channelOf()];
    const accepted = firstAccepted(first.channel, wait, () => second.channel);
    await vi.advanceTimersByTimeAsync(wait.timeoutMs - 1);
    expect([first.state.isReset, second.state.isReset]).toEqual([false, false]);
    await vi.advanceTimersByTimeAsync(1);
    expect([first.state.isReset, second.state.isReset]).toEqual([true, true]);
    first.state.fail("open-timed-out");
    await expect(accepted).rejects.toMatchObject({ code: "open-timed-out" });
  });

  test("an open whose first session ends waits for the second one, which has it too", async () => {
    const [first, second] = [channelOf(), channelOf()];
    const accepted = firstAccepted(first.channel, wait, () => second.channel);
    await vi.advanceTimersByTimeAsync(100);
    first.state.fail("peer-gone");
    await vi.advanceTimersByTimeAsync(100);
    second.state.accepted.resolve(undefined);
    expect(await accepted).toBe(second.channel);
  });

  test.each([
    ["whose session is not known", { isKnown: false }],
    ["that two sessions may have", { hasStrayed: true }],
  ])("an open %s goes nowhere else", async (_, options) => {
    const first = channelOf(options);
    const another = vi.fn<() => Channel>();
    const accepted = firstAccepted(first.channel, wait, another);
    await vi.advanceTimersByTimeAsync(10_000);
    first.state.accepted.resolve(undefined);
    expect(await accepted).toBe(first.channel);
    expect(another).not.toHaveBeenCalled();
  });
});

describe("an open of a protocol that its session doesn't handle any more", () => {
  test("an open of a protocol that the chosen session has just stopped handling goes to another one at once", async () => {
    const [first, second] = [channelOf(), channelOf()];
    const accepted = firstAccepted(first.channel, wait, () => second.channel);
    first.state.fail("unknown-protocol");
    await vi.advanceTimersByTimeAsync(0);
    second.state.accepted.resolve(undefined);
    expect(await accepted).toBe(second.channel);
  });

  test.each([
    ["peer-absent", "unknown-protocol"],
    ["rejected", "rejected"],
    ["open-timed-out", "open-timed-out"],
  ] as const)("an open that the second session fails with %s as well fails with %s", async (code, told) => {
    const [first, second] = [channelOf(), channelOf()];
    const accepted = firstAccepted(first.channel, wait, () => second.channel);
    first.state.fail("unknown-protocol");
    await vi.advanceTimersByTimeAsync(0);
    second.state.fail(code);
    await expect(accepted).rejects.toMatchObject({ code: told });
  });

  test("an open for one session in particular goes to no other", async () => {
    const first = channelOf();
    const accepted = firstAccepted(first.channel, wait, undefined);
    await vi.advanceTimersByTimeAsync(1_000);
    first.state.fail("unknown-protocol");
    await expect(accepted).rejects.toMatchObject({ code: "unknown-protocol" });
  });
});

test.each([
  ["nothing", undefined, true],
  ["bytes that fit", new Uint8Array(limits.maxPayloadBytes), true],
  ["bytes that don't", new Uint8Array(limits.maxPayloadBytes + 1), false],
  ["a string that fits", "a".repeat(limits.maxPayloadBytes), true],
  ["a string whose bytes don't", "ä".repeat(limits.maxPayloadBytes / 2 + 1), false],
])("a first message travels in one frame, or not: %s", (_, first, isOne) => {
  expect(isOneFrame(first)).toBe(isOne);
});
