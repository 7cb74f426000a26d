import { routerLimits } from "@messagepasser/protocol";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import type { Env } from "../../src/env.ts";
import { encodeAnswer } from "../../src/shards/call.ts";
import type { Outcome } from "../../src/shards/trunk.ts";
import { ShardCaller } from "../../src/realm/shard-caller.ts";
import type { UsageKeeper } from "../../src/realm/usage-keeper.ts";

beforeEach(() => {
  vi.useFakeTimers();
  return () => vi.useRealTimers();
});

/** The caller's end of a WebSocket, whose other end a test plays. */
class FakeSocket extends EventTarget {
  readyState: number = WebSocket.OPEN;
  binaryType = "blob";
  readonly sent: Uint8Array[] = [];

  accept(): void {
    expect(this.binaryType).toBe("arraybuffer");
  }

  send(bytes: Uint8Array): void {
    this.sent.push(bytes);
  }

  answer(number: number): void {
    this.dispatchEvent(new MessageEvent("message", { data: encodeAnswer(number).buffer }));
  }

  close(): void {
    this.readyState = WebSocket.CLOSED;
    this.dispatchEvent(new Event("close"));
  }
}

/** A shard that is called: each answer to an RPC call is 1. */
class FakeShard {
  rpcCalls = 0;
  failsWith: Error | undefined;
  /** Whether calls by RPC get no answer. */
  isSilent = false;
  readonly sockets: FakeSocket[] = [];
  /** Whether it takes calls over WebSockets. */
  hasSockets = true;
  readonly counted: string[] = [];
  readonly caller: ShardCaller;

  constructor() {
    const stub = {
      takeCall: () => {
        this.rpcCalls++;
        if (this.isSilent) return new Promise(() => undefined);
        return this.failsWith === undefined ? Promise.resolve(encodeAnswer(1)) : Promise.reject(this.failsWith);
      },
      fetch: () => {
        const webSocket = new FakeSocket();
        if (this.hasSockets) this.sockets.push(webSocket);
        return Promise.resolve({ webSocket: this.hasSockets ? webSocket : null });
      },
    };
    const usage = { countCall: (counter: string) => void this.counted.push(counter) };
    this.caller = new ShardCaller(
      { env: { ROUTER: { getByName: () => stub } } as unknown as Env, realm: "realm" },
      usage as unknown as UsageKeeper,
      () => undefined,
    );
  }

  /** @returns outcomes, as they come */
  call(bytes = Uint8Array.of(7)): Outcome[] {
    const outcomes: Outcome[] = [];
    this.caller.call(1, bytes, (outcome) => outcomes.push(outcome));
    return outcomes;
  }

  async callByRpc(times: number): Promise<void> {
    for (let count = 0; count < times; count++) {
      const outcomes = this.call();
      await vi.advanceTimersByTimeAsync(0);
      expect(outcomes).toEqual([1]);
    }
  }

  /** Makes so many calls that the rest goes over a WebSocket. */
  async becomeBusy(): Promise<FakeSocket> {
    await this.callByRpc(routerLimits.maxRpcCallsPerSecond);
    const socket = this.sockets.at(-1);
    if (socket === undefined) throw new Error("No WebSocket was opened");
    return socket;
  }
}

describe("calls to another shard", () => {
  test("calls go by RPC while there are few in a second", async () => {
    const shard = new FakeShard();
    for (let second = 0; second < 5; second++) {
      await shard.callByRpc(routerLimits.maxRpcCallsPerSecond - 1);
      vi.advanceTimersByTime(1_000);
    }
    expect(shard.sockets).toEqual([]);
    expect(shard.counted).toEqual([]);
  });

  test("a call by RPC fails that gets no answer for ten seconds, and no timer outlasts a call", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    onTestFinished(() => warn.mockRestore());
    const shard = new FakeShard();
    await shard.callByRpc(1);
    expect(vi.getTimerCount()).toBe(0);
    shard.isSilent = true;
    const outcomes = shard.call();
    await vi.advanceTimersByTimeAsync(routerLimits.maxCallMs - 1);
    expect(outcomes).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(outcomes).toEqual(["failed"]);
    expect(vi.getTimerCount()).toBe(0);
    shard.isSilent = false;
    await shard.callByRpc(1);
  });

  test("calls go over a WebSocket once there are many in a second", async () => {
    const shard = new FakeShard();
    const socket = await shard.becomeBusy();
    const { rpcCalls } = shard;
    const outcomes = shard.call();
    expect(socket.sent).toEqual([Uint8Array.of(7)]);
    socket.answer(5);
    expect(outcomes).toEqual([5]);
    expect(shard.rpcCalls).toBe(rpcCalls);
    expect(shard.counted).toEqual(["callMessages"]);
  });

  test("what is sent over a WebSocket stays as it was when the next call is written into the same memory", async () => {
    const shard = new FakeShard();
    const socket = await shard.becomeBusy();
    const memory = Uint8Array.of(7);
    shard.call(memory);
    memory[0] = 8;
    expect(socket.sent).toEqual([Uint8Array.of(7)]);
  });

  test("a WebSocket closes after a second or two without a call, and later calls go by RPC", async () => {
    const shard = new FakeShard();
    const socket = await shard.becomeBusy();
    for (let second = 0; second < 5; second++) {
      shard.call();
      socket.answer(1);
      vi.advanceTimersByTime(routerLimits.callSocketIdleMs);
      expect(socket.readyState).toBe(WebSocket.OPEN);
    }
    vi.advanceTimersByTime(routerLimits.callSocketIdleMs);
    expect(socket.readyState).toBe(WebSocket.CLOSED);
    expect(vi.getTimerCount()).toBe(0);
    await shard.callByRpc(1);
  });

  test("a call fails whose WebSocket closes under way, and the next one goes by RPC", async () => {
    const shard = new FakeShard();
    const socket = await shard.becomeBusy();
    const outcomes = shard.call();
    socket.close();
    expect(outcomes).toEqual(["failed"]);
    expect(vi.getTimerCount()).toBe(0);
    await shard.callByRpc(1);
  });

  test("a call fails that gets no answer over a WebSocket for ten seconds, and an answer that comes later counts for nothing", async () => {
    const shard = new FakeShard();
    const socket = await shard.becomeBusy();
    const outcomes = shard.call();
    vi.advanceTimersByTime(routerLimits.maxCallMs - routerLimits.callSocketIdleMs);
    expect(outcomes).toEqual([]);
    vi.advanceTimersByTime(2 * routerLimits.callSocketIdleMs);
    expect(outcomes).toEqual(["failed"]);
    expect(socket.readyState).toBe(WebSocket.CLOSED);
    const next = shard.call();
    socket.answer(9);
    await vi.advanceTimersByTimeAsync(0);
    expect([outcomes, next]).toEqual([["failed"], [1]]);
  });

  test("answers over a WebSocket belong to calls in their order, also where the trunk has given one up", async () => {
    const shard = new FakeShard();
    const socket = await shard.becomeBusy();
    const [given, next] = [shard.call(), shard.call()];
    socket.answer(1);
    socket.answer(2);
    expect([given, next]).toEqual([[1], [2]]);
  });

  test("calls go by RPC to a shard that takes none over a WebSocket, which is asked once a second", async () => {
    const shard = new FakeShard();
    shard.hasSockets = false;
    const calls = 3 * routerLimits.maxRpcCallsPerSecond;
    await shard.callByRpc(calls);
    expect(shard.rpcCalls).toBe(calls);
    shard.hasSockets = true;
    await shard.callByRpc(calls);
    expect(shard.sockets).toEqual([]);
    vi.advanceTimersByTime(1_000);
    await shard.callByRpc(2);
    expect(shard.sockets).toHaveLength(1);
  });

  test("calls to a shard go over a WebSocket, though they are few, where many go to others, and it may be quiet for some seconds", async () => {
    const shard = new FakeShard();
    for (let other = 2; other < 2 + routerLimits.maxRpcCallsPerSecond; other++)
      shard.caller.call(other, Uint8Array.of(7), () => undefined);
    await shard.callByRpc(2);
    expect(shard.sockets).toHaveLength(1);
    vi.advanceTimersByTime(3 * routerLimits.callSocketIdleMs);
    expect(shard.sockets[0]?.readyState).toBe(WebSocket.OPEN);
    vi.advanceTimersByTime(routerLimits.busyCallSocketIdleMs);
    expect(shard.sockets[0]?.readyState).toBe(WebSocket.CLOSED);
  });

  test.each([
    ["failed", new Error("Network connection lost")],
    ["reset", Object.assign(new Error("reset"), { durableObjectReset: true })],
  ] as const)("the outcome of an RPC call is %s where it throws so", async (outcome, error) => {
    vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const shard = new FakeShard();
    shard.failsWith = error;
    const outcomes = shard.call();
    await vi.advanceTimersByTimeAsync(0);
    expect(outcomes).toEqual([outcome]);
  });
});
