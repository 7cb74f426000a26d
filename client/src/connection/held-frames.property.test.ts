import { clientLimits, type DataFrame, limits } from "@messagepasser/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HeldFrames } from "./held-frames.ts";
import { Quota } from "./quota.ts";

const { firstWindowBytes, frameCostBytes, maxBatchBytes } = limits;

function frameOf(buffer: ArrayBuffer, start: number, length: number): DataFrame {
  const payload = new Uint8Array(buffer, start, length);
  return { kind: "data", connection: 1, last: true, text: false, offset: undefined, payload };
}

/** What bounds the batches of a peer. */
function quota(maxBytes: number = clientLimits.maxHeldBatchBytes): Quota {
  return new Quota({ bytes: 0, maxBytes });
}

/** A batch that brings frames of one size, and how many frames are taken after it. */
const step = fc.record({
  batchBytes: fc.integer({ min: 1, max: maxBatchBytes }),
  frames: fc.integer({ min: 0, max: 10 }),
  frameBytes: fc.oneof(fc.constantFrom(0, 1), fc.integer({ min: 1, max: maxBatchBytes })),
  taken: fc.integer({ min: 0, max: 10 }),
});

describe("held frames", () => {
  test("held frames come back unchanged and in order, and never keep much more memory alive than they have cost", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100, size: "max" }), (steps) => {
        const held = new HeldFrames(quota());
        const model: { length: number; first: number | undefined }[] = [];
        let [costBytes, mostCostBytes] = [0, 0];
        const kept = new Set<ArrayBufferLike>();
        const take = (): Uint8Array => {
          const payload = held.shift()?.payload ?? new Uint8Array(1);
          expect({ length: payload.length, first: payload[0] }).toEqual(model.shift());
          costBytes -= payload.length + frameCostBytes;
          return payload;
        };
        for (const [round, { batchBytes, frames, frameBytes, taken }] of steps.entries()) {
          const buffer = new ArrayBuffer(batchBytes);
          new Uint8Array(buffer)[0] = round;
          const length = Math.min(frameBytes, batchBytes);
          for (let count = 0; count < frames; count++) {
            held.push(frameOf(buffer, 0, length));
            model.push({ length, first: length === 0 ? undefined : round });
            costBytes += length + frameCostBytes;
          }
          mostCostBytes = Math.max(mostCostBytes, costBytes);
          for (let count = 0; count < taken && held.length > 0; count++) take();
        }
        while (held.length > 0) kept.add(take().buffer);
        const keptBytes = [...kept].reduce((sum, { byteLength }) => sum + byteLength, 0);
        expect(keptBytes).toBeLessThanOrEqual(2 * mostCostBytes + 2 * firstWindowBytes);
      }),
    );
  });

  test("held frames aren't copied where they fill their batches, however many wait and for however long", () => {
    const held = new HeldFrames(quota());
    const [count, length] = [1_000, 64];
    for (let batch = 0; batch < 1_000; batch++) {
      const buffer = new ArrayBuffer(count * (length + 9));
      for (let at = 0; at < count; at++) {
        held.push(frameOf(buffer, at * (length + 9) + 9, length));
        // The queue is never empty.
        if (batch >= 100) held.shift();
      }
      expect(held.peek()?.payload.buffer.byteLength).toBe(buffer.byteLength);
    }
  });

  test("held frames that a reader leaves for later are copied where each came in a batch of its own", () => {
    const held = new HeldFrames(quota());
    for (let at = 0; at < 10_000; at++) held.push(frameOf(new ArrayBuffer(maxBatchBytes), 0, 1));
    let keptBytes = 0;
    while (held.length > 0) keptBytes += held.shift()?.payload.buffer.byteLength ?? 0;
    expect(keptBytes).toBeLessThan(2 * 10_000 * (1 + frameCostBytes) + 2 * firstWindowBytes + maxBatchBytes);
  });

  test("held frames of ten thousand Connections keep few batches alive together, and are counted until they are taken", () => {
    const total = { bytes: 0, maxBytes: clientLimits.maxHeldBatchBytes };
    const batches = new Quota(total);
    const all = Array.from({ length: limits.maxConnectionsPerPeer }, () => new HeldFrames(batches));
    for (const held of all) for (let at = 0; at < 3; at++) held.push(frameOf(new ArrayBuffer(maxBatchBytes), 0, 1));
    let keptBytes = 0;
    for (const held of all) while (held.length > 0) keptBytes += held.shift()?.payload.buffer.byteLength ?? 0;
    expect(keptBytes).toBeLessThan(clientLimits.maxHeldBatchBytes);
    expect(total.bytes).toBe(0);
  });
});
