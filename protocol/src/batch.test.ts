import { Buffer } from "node:buffer";
import { describe, expect, test } from "vitest";
import { BatchWriter, encodeBatch, giveBack, routerAddress, SegmentReader, segmentHeaderBytes } from "./batch.ts";
import { PeerFrameReader } from "./codec.ts";
import { type DataFrame, dataFlags } from "./frames.ts";
import { limits } from "./limits.ts";
import { ProtocolError } from "./protocol-error.ts";

const stop = { kind: "stop", connection: 1 } as const;
const stopHex = "4300000400000001";
/** A data frame's bytes around its payload when it carries its offset: 4 of header, 5 of fields, 8 of offset. */
const dataBytes = 17;

function writerOf(): { writer: BatchWriter; batches: Uint8Array[]; hex: () => string[] } {
  const batches: Uint8Array[] = [];
  const writer = new BatchWriter((batch) => batches.push(batch));
  return { writer, batches, hex: () => batches.map((batch) => Buffer.from(batch).toString("hex")) };
}

function dataOf(batch: Uint8Array): DataFrame[] {
  const frames: DataFrame[] = [];
  const segments = new SegmentReader(batch);
  while (segments.next()) {
    const reader = new PeerFrameReader(batch, segments.start, segments.end);
    for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
      if (frame.kind === "data") frames.push(frame);
    }
  }
  return frames;
}

describe("encodeBatch", () => {
  test("encodeBatch makes the batch that a writer makes of one frame", () => {
    for (const address of [routerAddress, 1, 0xffff_ffff]) {
      const { writer, hex } = writerOf();
      writer.frame(address, stop);
      writer.flush();
      expect(hex()).toEqual([Buffer.from(encodeBatch(address, stop)).toString("hex")]);
    }
  });
});

describe("SegmentReader", () => {
  test("a SegmentReader takes a batch of the most bytes, and refuses one with a byte more", () => {
    const most = new Uint8Array(limits.maxBatchBytes);
    new DataView(most.buffer).setUint32(4, limits.maxBatchBytes - segmentHeaderBytes);
    const segments = new SegmentReader(most);
    expect(segments.next()).toBe(true);
    expect(segments.end).toBe(limits.maxBatchBytes);
    expect(segments.next()).toBe(false);
    expect(() => new SegmentReader(new Uint8Array(limits.maxBatchBytes + 1))).toThrow(ProtocolError);
  });

  test("a SegmentReader counts from the start of the batch, though the batch is a view on a larger buffer", () => {
    const around = Buffer.from(`ffffffff0000000700000008${stopHex}ffffffff`, "hex");
    const segments = new SegmentReader(around.subarray(4, -4));
    expect(segments.next()).toBe(true);
    expect(segments).toMatchObject({ address: 7, headerStart: 0, start: 8, end: 16 });
    expect(segments.next()).toBe(false);
  });

  test("a SegmentReader throws again when it is asked again after an error, instead of going on behind it", () => {
    const segments = new SegmentReader(new Uint8Array(Buffer.from(`0000000700000008${stopHex}00`, "hex")));
    expect(segments.next()).toBe(true);
    for (let time = 0; time < 2; time++) expect(() => segments.next()).toThrow("Truncated segment header at byte 16");
  });
});

describe("BatchWriter", () => {
  test("a BatchWriter hands over nothing when nothing was gathered, even right after a batch", () => {
    const { writer, batches } = writerOf();
    writer.flush();
    expect(batches).toHaveLength(0);
    writer.frame(1, stop);
    writer.flush();
    writer.flush();
    expect(batches).toHaveLength(1);
  });

  test("a BatchWriter joins neighbouring frames to one address in a segment, and no others", () => {
    const { writer, hex } = writerOf();
    for (const address of [7, 7, 9, 7]) writer.frame(address, stop);
    writer.flush();
    expect(hex()).toEqual([
      `0000000700000010${stopHex}${stopHex}` + `0000000900000008${stopHex}` + `0000000700000008${stopHex}`,
    ]);
  });

  test("a BatchWriter begins a new segment after a batch, though the address is the same", () => {
    const { writer, hex } = writerOf();
    for (let time = 0; time < 2; time++) {
      writer.frame(7, stop);
      writer.flush();
    }
    expect(hex()).toEqual([`0000000700000008${stopHex}`, `0000000700000008${stopHex}`]);
  });

  test("a BatchWriter gives bytes away for good: neither its later writes nor the payload's owner change them", () => {
    const { writer, batches, hex } = writerOf();
    const payload = Uint8Array.of(1, 2, 3);
    writer.data({ address: 7, connection: 1 }, 0, 0, payload);
    payload.fill(9);
    writer.flush();
    const [first] = hex();
    writer.data({ address: 9, connection: 2 }, 0, 0, new Uint8Array(100).fill(0xee));
    writer.flush();
    expect(hex()[0]).toBe(first);
    expect(dataOf(batches[0] ?? payload)[0]?.payload).toEqual(Uint8Array.of(1, 2, 3));
  });

  test("a BatchWriter may be written to by the function that takes a batch", () => {
    const taken: Uint8Array[] = [];
    const writer: BatchWriter = new BatchWriter((batch) => {
      if (taken.push(batch) === 1) writer.frame(9, stop);
    });
    writer.frame(7, stop);
    writer.flush();
    writer.flush();
    expect(taken.map((batch) => Buffer.from(batch).toString("hex"))).toEqual([
      `0000000700000008${stopHex}`,
      `0000000900000008${stopHex}`,
    ]);
  });

  test("a BatchWriter hands over a batch by itself once data has brought it to the flush limit, and not a byte earlier", () => {
    const room = limits.flushBatchBytes - segmentHeaderBytes - dataBytes;
    const below = writerOf();
    below.writer.data({ address: 1, connection: 1 }, 0, 0, new Uint8Array(room - 1));
    expect(below.batches).toHaveLength(0);
    const at = writerOf();
    at.writer.data({ address: 1, connection: 1 }, 0, 0, new Uint8Array(room));
    expect(at.batches.map((batch) => batch.length)).toEqual([limits.flushBatchBytes]);
  });

  test("a BatchWriter holds the largest payload behind the most that a batch gathers, in two batches where one is too small", () => {
    const gathered = limits.flushBatchBytes - 1;
    const halves = [limits.maxPayloadBytes, gathered - 2 * (segmentHeaderBytes + dataBytes) - limits.maxPayloadBytes];
    const room = limits.maxBatchBytes - gathered - segmentHeaderBytes - dataBytes;
    const sizesWith = (bytes: number): number[] => {
      const { writer, batches } = writerOf();
      for (const [at, count] of [...halves, bytes].entries())
        writer.data({ address: at, connection: 1 }, 0, 0, new Uint8Array(count).fill(at));
      writer.flush();
      expect(batches.flatMap(dataOf).map(({ payload }) => payload.length)).toEqual([...halves, bytes]);
      return batches.map((batch) => batch.length);
    };
    expect(sizesWith(room)).toEqual([limits.maxBatchBytes]);
    expect(sizesWith(room + 1)).toEqual([gathered, segmentHeaderBytes + dataBytes + room + 1]);
    expect(sizesWith(limits.maxPayloadBytes)).toHaveLength(2);
  });

  test("a BatchWriter never makes a batch over the limit of frames other than data, however many", () => {
    const { writer, batches } = writerOf();
    const reset = { kind: "reset", connection: 1, code: 1, reason: "r".repeat(limits.maxReasonBytes) } as const;
    for (let count = 0; count < 600; count++) writer.frame(count % 3, reset);
    writer.flush();
    expect(batches.length).toBeGreaterThan(2);
    for (const batch of batches) expect(batch.length).toBeLessThanOrEqual(limits.maxBatchBytes);
  });

  test("a BatchWriter omits the offset of a data frame behind one of its Connection in the same segment, and no other offset", () => {
    const { writer, batches } = writerOf();
    const [target, one] = [{ address: 7, connection: 1 }, Uint8Array.of(1)];
    writer.data(target, 0, 0, one);
    writer.frame(7, stop);
    writer.data(target, 0, 17, one);
    writer.data({ address: 7, connection: 2 }, 0, 0, one);
    writer.data(target, 0, 34, one);
    writer.data(target, 0, 34, one);
    writer.frame(9, stop);
    writer.data(target, 0, 51, one);
    writer.flush();
    writer.data(target, 0, 68, one);
    writer.flush();
    const offsets = batches.map((batch) => dataOf(batch).map(({ offset }) => offset));
    expect(offsets).toEqual([[0, undefined, 0, 34, 34, 51], [68]]);
  });

  test("a BatchWriter writes flags and the largest offset unchanged", () => {
    const { writer, batches } = writerOf();
    writer.data(
      { address: 7, connection: 0xffff_ffff },
      dataFlags.last | dataFlags.text,
      limits.maxOffset,
      new Uint8Array(),
    );
    writer.flush();
    const expected = { kind: "data", connection: 0xffff_ffff, last: true, text: true, offset: limits.maxOffset };
    expect(batches.flatMap(dataOf)).toEqual([{ ...expected, payload: new Uint8Array() }]);
  });

  test("a BatchWriter writes into a batch's memory again once it is given back, and never before", () => {
    const under: Uint8Array<ArrayBuffer>[] = [];
    const writer = new BatchWriter((batch) => under.push(batch));
    const buffers = new Set<ArrayBufferLike>();
    const sizes = [1, 20_000, 40_000, limits.maxPayloadBytes];
    for (let round = 0; round < 200; round++) {
      writer.data(
        { address: 7, connection: 1 },
        0,
        round,
        new Uint8Array(sizes[round % sizes.length] ?? 0).fill(round),
      );
      writer.flush();
      if (under.length < 5) continue;
      // The oldest is still as it was written, whatever was written since.
      const batch = under.shift() ?? new Uint8Array();
      for (const { offset, payload } of dataOf(batch)) {
        expect(offset).toBe(round - 4);
        expect(payload.every((byte) => byte === round - 4)).toBe(true);
      }
      buffers.add(batch.buffer);
      giveBack(batch);
    }
    expect(buffers.size).toBeLessThan(100);
  });

  test("a BatchWriter puts small batches into one buffer, as long as they fit", () => {
    const batches: Uint8Array[] = [];
    const writer = new BatchWriter((batch) => batches.push(batch));
    const payloadBytes = 1_000 - segmentHeaderBytes - dataBytes;
    for (let count = 0; count < 300; count++) {
      writer.data({ address: 7, connection: 1 }, 0, count, new Uint8Array(payloadBytes).fill(count));
      writer.flush();
    }
    const buffers = batches.map(({ buffer }) => buffer);
    const perBuffer = Math.floor(limits.maxBatchBytes / 1_000);
    expect(new Set(buffers.slice(0, perBuffer)).size).toBe(1);
    expect(new Set(buffers).size).toBe(Math.ceil(300 / perBuffer));
    for (const [at, batch] of batches.entries()) {
      expect(batch).toHaveLength(1_000);
      expect(dataOf(batch)).toMatchObject([{ offset: at, payload: new Uint8Array(payloadBytes).fill(at) }]);
    }
  });

  test("a BatchWriter makes a batch as large as one may be, even after small ones", () => {
    const { writer, batches } = writerOf();
    writer.frame(7, stop);
    writer.flush();
    writer.frame(7, stop);
    writer.data({ address: 7, connection: 1 }, 0, 0, new Uint8Array(limits.maxPayloadBytes));
    writer.data({ address: 7, connection: 1 }, 0, 0, new Uint8Array(limits.maxPayloadBytes - 1));
    writer.flush();
    expect(batches.flatMap(dataOf).map(({ payload }) => payload.length)).toEqual([
      limits.maxPayloadBytes,
      limits.maxPayloadBytes - 1,
    ]);
  });

  test("a BatchWriter doesn't write again into the buffer of a small batch that is given back", () => {
    const batches: Uint8Array<ArrayBuffer>[] = [];
    const writer = new BatchWriter((batch) => batches.push(batch));
    for (let count = 0; count < 3; count++) {
      writer.data({ address: 7, connection: 1 }, 0, count, new Uint8Array(100).fill(count));
      writer.flush();
      giveBack(batches[count] ?? new Uint8Array());
    }
    for (let count = 0; count < 10; count++)
      writer.data({ address: 7, connection: 1 }, 0, 9, new Uint8Array(limits.maxPayloadBytes).fill(9));
    for (const [at, batch] of batches.slice(0, 3).entries())
      expect(dataOf(batch)).toMatchObject([{ offset: at, payload: new Uint8Array(100).fill(at) }]);
  });

  test("a BatchWriter keeps few of the batches that are given back", () => {
    const batches: Uint8Array<ArrayBuffer>[] = [];
    const writer = new BatchWriter((batch) => batches.push(batch));
    const fill = (): ArrayBufferLike[] => {
      for (let count = 0; count < 200; count++)
        writer.data({ address: 7, connection: 1 }, 0, 0, new Uint8Array(limits.maxPayloadBytes));
      return batches.splice(0).map((batch) => {
        giveBack(batch);
        return batch.buffer;
      });
    };
    const first = new Set(fill());
    expect(first.size).toBe(100);
    const again = fill().filter((buffer) => first.has(buffer));
    expect(again.length).toBeGreaterThan(0);
    expect(again.length).toBeLessThan(100);
  });
});
