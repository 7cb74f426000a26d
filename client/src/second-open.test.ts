import { dataFlags } from "@messagepasser/protocol";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Channel } from "./connection/channel.ts";
import { firstAccepted } from "./second-open.ts";

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

const wait = { patienceMs: 100, timeoutMs: 20_000, signal: undefined };

/** A channel that is accepted and refused by hand, as far as `firstAccepted` looks at it. */
function channelOf({ isKnown = true, flags }: { readonly isKnown?: boolean; readonly flags?: number } = {}) {
  const accepted = Promise.withResolvers<undefined>();
  accepted.promise.catch(() => undefined);
  const state = { accepted, isReset: false };
  const channel = {
    accepted: accepted.promise,
    isOver: false,
    start: { home: { peer: isKnown ? { session: "7" } : undefined } },
    sender: { first: { flags: flags ?? dataFlags.last, payload: new TextEncoder().encode("hello") } },
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
    const another = vi.fn<(silent: string, first: unknown) => Channel>(() => second.channel);
    const accepted = firstAccepted(first.channel, wait, another);
    await vi.advanceTimersByTimeAsync(100);
    expect(another.mock.calls).toEqual([["7", new TextEncoder().encode("hello")]]);
    const [won, lost] = winner === "the first" ? [first, second] : [second, first];
    won.state.accepted.resolve(undefined);
    expect(await accepted).toBe(won.channel);
    expect([won.state.isReset, lost.state.isReset]).toEqual([false, true]);
  });

  test("an open that no other session takes may still be accepted by the first", async () => {
    const [first, second] = [channelOf({ flags: dataFlags.last | dataFlags.text }), channelOf()];
    const accepted = firstAccepted(first.channel, wait, (_, message) => {
      expect(message).toBe("hello");
      return second.channel;
    });
    await vi.advanceTimersByTimeAsync(100);
    second.state.accepted.reject(new Error("nobody else"));
    await vi.advanceTimersByTimeAsync(1_000);
    first.state.accepted.resolve(undefined);
    expect(await accepted).toBe(first.channel);
  });

  test("an open that the first session refuses fails, and is withdrawn from the second", async () => {
    const [first, second] = [channelOf(), channelOf()];
    const accepted = firstAccepted(first.channel, wait, () => second.channel);
    await vi.advanceTimersByTimeAsync(100);
    first.state.accepted.reject(new Error("refused"));
    await expect(accepted).rejects.toThrow("refused");
    expect(second.state.isReset).toBe(true);
  });

  test("an open that no session answers is given up after its time-out", async () => {
    const [first, second] = [channelOf(), channelOf()];
    const accepted = firstAccepted(first.channel, wait, () => second.channel);
    await vi.advanceTimersByTimeAsync(wait.timeoutMs - 1);
    expect(first.state.isReset).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(first.state.isReset).toBe(true);
    first.state.accepted.reject(new Error("given up"));
    await expect(accepted).rejects.toThrow("given up");
    expect(second.state.isReset).toBe(true);
  });

  test.each([
    ["whose session is not known", { isKnown: false }],
    ["whose first message has more pieces", { flags: 0 }],
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
