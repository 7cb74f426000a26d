import { type DataFrame, errorCodes, limits } from "@messagepasser/protocol";
import { describe, expect, test } from "vitest";
import { Budget } from "./budget.ts";
import { Quota } from "./quota.ts";
import type { Message } from "./message.ts";
import { Receiver, Unfit } from "./receiver.ts";
import { Violation } from "./violation.ts";

const windowBytes = limits.firstWindowBytes;
/** What makes a receiver grant its first window, and what makes it grant the smallest one. */
const [ample, scarce] = [limits.maxBudgetBytes, 0];

class Harness {
  readonly credits: { received: number; limit: number }[] = [];
  readonly budget = new Budget();
  readonly uncounted = new Quota({ bytes: 0, maxBytes: limits.maxUncountedBytes });
  readonly faults: Error[] = [];
  readonly receiver: Receiver;
  #offset = 0;

  constructor(maxMessageBytes = 1_000_000, budgetBytes: number = ample) {
    this.budget.totalBytes = budgetBytes;
    this.receiver = new Receiver(
      {
        credit: (received, limit) => void this.credits.push({ received, limit }),
        unfit: (error) => {
          this.faults.push(error);
          this.receiver.discard(() => error);
        },
      },
      this.budget,
      maxMessageBytes,
      () => 0,
      { roundTrip: { ms: Infinity }, uncounted: this.uncounted },
    );
    this.receiver.begin();
  }

  /** A frame with one byte of payload in a batch of this size. */
  frame(payloadBytes: number, part: Partial<DataFrame> = {}, batchBytes = payloadBytes): void {
    const payload = new Uint8Array(new ArrayBuffer(batchBytes), 0, payloadBytes);
    this.receiver.data({
      kind: "data",
      connection: 1,
      last: true,
      text: false,
      offset: this.#offset,
      payload,
      ...part,
    });
    this.#offset += payloadBytes + limits.frameCostBytes;
  }
}

describe("a receiver", () => {
  test("a receiver keeps little more memory alive than its window, however small the payloads and large the batches are", async () => {
    const harness = new Harness();
    const count = Math.floor(windowBytes / (1 + limits.frameCostBytes));
    for (let sent = 0; sent < count; sent++) harness.frame(1, {}, limits.maxBatchBytes);
    const buffers = new Set<ArrayBufferLike>();
    for (let taken = 0; taken < count; taken++) {
      const message = await harness.receiver.receive(undefined);
      if (message instanceof Uint8Array) buffers.add(message.buffer);
    }
    const kept = Array.from(buffers, ({ byteLength }) => byteLength).reduce((sum, bytes) => sum + bytes, 0);
    expect(kept).toBeLessThan(4 * windowBytes);
  });

  test("a receiver puts a message of many tiny pieces together without keeping their batches", async () => {
    const harness = new Harness();
    const receiving = harness.receiver.receive(undefined);
    for (let sent = 0; sent < 20_000; sent++) harness.frame(1, { last: sent === 19_999 }, 1_000);
    const message = (await receiving) as Uint8Array;
    expect(message).toHaveLength(20_000);
    expect(message.buffer.byteLength).toBe(20_000);
  });

  test.each([
    [100, 100, true],
    [101, 100, false],
    [0, 0, true],
  ])("a receiver gets a message of %i bytes where %i are allowed: %s", async (size, max, isTaken) => {
    for (const pieces of [1, 2]) {
      const harness = new Harness(max);
      if (pieces === 2) harness.frame(0, { last: false });
      harness.frame(size);
      const outcome = await harness.receiver.receive(undefined).then(
        (message: Message | undefined) => message?.length,
        (error: unknown) => error,
      );
      if (isTaken) expect(outcome).toBe(size);
      else expect(outcome).toBeInstanceOf(Unfit);
    }
  });

  test("a receiver takes data up to the limit and not one unit further", () => {
    const rest = limits.minWindowBytes - 2 * limits.frameCostBytes - 100;
    const harness = new Harness(1_000_000, scarce);
    harness.frame(100);
    harness.frame(rest);
    expect(() => {
      harness.frame(0);
    }).toThrow(Violation);
    const exact = new Harness(1_000_000, scarce);
    exact.frame(100);
    expect(() => {
      exact.frame(rest + 1);
    }).toThrow(Violation);
  });

  test("a receiver grants when a quarter of the window is taken, and never less than before", async () => {
    const harness = new Harness();
    const quarter = windowBytes / 4;
    for (let sent = 0; sent < 2; sent++) harness.frame(quarter / 2 - limits.frameCostBytes - sent);
    harness.frame(0);
    await harness.receiver.receive(undefined);
    await harness.receiver.receive(undefined);
    expect(harness.credits).toEqual([]);
    await harness.receiver.receive(undefined);
    const received = quarter - 1 + limits.frameCostBytes;
    expect(harness.credits).toEqual([{ received, limit: received + windowBytes }]);
  });

  test("a receiver takes only what is left of the budget, but always its smallest window, and gives all of it back", async () => {
    for (const budgetBytes of [scarce, 100_000, ample]) {
      const harness = new Harness(1_000_000, budgetBytes);
      const { budget, receiver } = harness;
      expect(budget.has(budgetBytes)).toBe(false);
      for (let sent = 0; sent < 100; sent++) {
        harness.frame(1_000);
        await receiver.receive(undefined);
      }
      for (let waiting = 0; waiting < 3; waiting++) harness.frame(1_000);
      receiver.fail(() => new Error("done"));
      expect(budget.has(budgetBytes)).toBe(true);
      expect(budget.has(budgetBytes + 1)).toBe(false);
      // Data that arrived before is still there, and is not counted twice.
      for (let waiting = 0; waiting < 3; waiting++) expect(await receiver.receive(undefined)).toHaveLength(1_000);
      expect(budget.has(budgetBytes + 1)).toBe(false);
    }
  });

  test("a receiver goes on counting the messages that wait after a FIN, and gives back the rest at once", async () => {
    const harness = new Harness();
    const { budget, receiver } = harness;
    for (let sent = 0; sent < 3; sent++) harness.frame(1_000);
    receiver.fin(3 * (1_000 + limits.frameCostBytes));
    const heldBytes = 3 * (1_000 + limits.frameCostBytes);
    expect(budget.has(ample - heldBytes)).toBe(true);
    expect(budget.has(ample - heldBytes + 1)).toBe(false);
    for (let sent = 0; sent < 3; sent++) await receiver.receive(undefined);
    expect(budget.has(ample)).toBe(true);
    expect(budget.has(ample + 1)).toBe(false);
  });

  test("a receiver goes on counting the messages that wait after a FIN that claims not to be counted", async () => {
    const harness = new Harness();
    const { budget, receiver } = harness;
    harness.frame(50_000);
    receiver.fin(limits.maxOffset);
    const heldBytes = 50_000 + limits.frameCostBytes;
    expect(budget.has(ample - heldBytes)).toBe(true);
    expect(budget.has(ample - heldBytes + 1)).toBe(false);
    await receiver.receive(undefined);
    expect(budget.has(ample)).toBe(true);
    expect(budget.has(ample + 1)).toBe(false);
  });

  test("a receiver refuses a message of text and bytes, and text that is not UTF-8", async () => {
    const mixed = new Harness();
    mixed.frame(1, { last: false, text: true });
    expect(() => {
      mixed.frame(1, { text: false });
    }).toThrow(Violation);
    const invalid = new Harness();
    invalid.frame(1, { text: true, payload: new Uint8Array([0xff]) });
    await expect(invalid.receiver.receive(undefined)).rejects.toBeInstanceOf(Violation);
    expect(invalid.faults).toHaveLength(1);
  });

  test("a receiver gives text whose characters are split between pieces as one string", async () => {
    const harness = new Harness();
    const [first, second] = [new Uint8Array([0xe2, 0x9c]), new Uint8Array([0x93])];
    harness.frame(2, { last: false, text: true, payload: first });
    harness.frame(1, { text: true, payload: second });
    expect(await harness.receiver.receive(undefined)).toBe("✓");
  });

  test("a receiver serves waiting calls in their order, and skips those that were aborted", async () => {
    const harness = new Harness();
    const controller = new AbortController();
    const first = harness.receiver.receive(undefined);
    const left = harness.receiver.receive(controller.signal);
    const last = harness.receiver.receive(undefined);
    controller.abort(new Error("left"));
    harness.frame(1);
    harness.frame(2);
    await expect(left).rejects.toThrow("left");
    expect([(await first)?.length, (await last)?.length]).toEqual([1, 2]);
  });
});

describe("a receiver of an uncounted half", () => {
  const uncounted = { offset: undefined };

  test("a receiver of an uncounted half takes data past every limit, and gives no credit", async () => {
    const harness = new Harness();
    for (let sent = 0; sent < 10; sent++) {
      harness.frame(limits.maxPayloadBytes, uncounted);
    }
    for (let taken = 0; taken < 10; taken++) {
      expect(await harness.receiver.receive(undefined)).toHaveLength(limits.maxPayloadBytes);
    }
    harness.receiver.acknowledge();
    expect(harness.credits).toEqual([]);
    harness.receiver.fin(limits.maxOffset);
    expect(await harness.receiver.receive(undefined)).toBeUndefined();
  });

  test("a receiver of an uncounted half takes half of the memory for all such halves, and then says that it is too much", async () => {
    const harness = new Harness();
    const mostFrames = Math.floor(limits.maxUncountedBytes / 2 / (limits.maxPayloadBytes + limits.frameCostBytes));
    for (let sent = 0; sent < mostFrames; sent++) harness.frame(limits.maxPayloadBytes, uncounted);
    expect(harness.faults).toEqual([]);
    // Taken and sent again, since what counts is what waits.
    await harness.receiver.receive(undefined);
    harness.frame(limits.maxPayloadBytes, uncounted);
    expect(harness.faults).toEqual([]);
    harness.frame(limits.maxPayloadBytes, uncounted);
    expect(harness.faults).toEqual([expect.objectContaining({ code: errorCodes.overrun })]);
    expect(harness.uncounted.isFull).toBe(false);
  });
});
