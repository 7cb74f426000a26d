import { Buffer } from "node:buffer";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dataFrame, type Frame, frameOf, peerKinds, plain, routerKinds } from "../../test/support/frame-arbitraries.ts";
import { BatchWriter, routerAddress, SegmentReader } from "./batch.ts";
import { encodeFrame, PeerFrameReader, RouterFrameReader } from "./codec.ts";
import { type ControlFrame, dataFlags, type FrameShape, peerFrames, routerFrames } from "./frames.ts";
import { limits } from "./limits.ts";
import { ProtocolError } from "./protocol-error.ts";

/** A frame as a decoder met it, and the segment in which it stood: a number that no other segment has. */
interface Placed {
  readonly address: number;
  readonly segment: number;
  readonly frame: Frame;
}

/** Frames with where they go: few addresses, so that segments and Connections go on, and data most often. */
const send = fc.oneof(
  fc.record({ address: fc.constant(routerAddress), frame: fc.oneof(...routerKinds) }),
  fc.record({ address: fc.constantFrom(1, 2, 0xffff_ffff), frame: fc.oneof(dataFrame, ...peerKinds, dataFrame) }),
  fc.record({ address: fc.constantFrom(1, 2), frame: dataFrame }),
);
const sends = fc.array(
  fc.tuple(send, fc.nat(9)).map(([what, dice]) => ({ ...what, flush: dice === 0 })),
  { maxLength: 40, size: "max" },
);

/** Sends as a client does. A data frame without an offset follows that of its Connection before it. */
function write(list: readonly { address: number; frame: Frame; flush?: boolean }[]): Uint8Array[] {
  const batches: Uint8Array[] = [];
  const writer = new BatchWriter((batch) => batches.push(batch));
  const ends = new Map<string, number>();
  for (const { address, frame, flush } of list) {
    if (frame.kind !== "data") writer.frame(address, frame);
    else {
      const key = `${address}/${frame.connection}`;
      const flags = (frame.last ? dataFlags.last : 0) | (frame.text ? dataFlags.text : 0);
      const offset = frame.offset ?? ends.get(key) ?? 0;
      ends.set(key, offset + frame.payload.length + limits.frameCostBytes);
      writer.data({ address, connection: frame.connection }, flags, offset, frame.payload);
    }
    if (flush === true) writer.flush();
  }
  writer.flush();
  return batches;
}

/** Reads batches to their end. Stops by itself only if each step moves on, so it counts the steps. */
function read(batches: readonly Uint8Array[]): Placed[] {
  const placed: Placed[] = [];
  let segment = 0;
  for (const bytes of batches) {
    let steps = 0;
    const step = (): void => {
      // Each segment has 8 bytes and each frame 4.
      if (++steps > bytes.length / 4 + 2) throw new Error("Decoding doesn't end");
    };
    const segments = new SegmentReader(bytes);
    while (segments.next()) {
      step();
      segment++;
      const { address, start, end } = segments;
      const Reader = address === routerAddress ? RouterFrameReader : PeerFrameReader;
      const reader = new Reader(bytes, start, end);
      for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
        step();
        placed.push({ address, segment, frame });
      }
    }
  }
  return placed;
}

/** The outcomes that hostile bytes may have: whole frames, or a ProtocolError. Any other error is thrown on. */
function readHostile(bytes: Uint8Array): Placed[] | ProtocolError {
  try {
    const placed = read([bytes]);
    for (const { address, frame } of placed) checkWhole(address, frame);
    return placed;
  } catch (problem) {
    if (!(problem instanceof ProtocolError)) throw problem;
    if (problem.offset === undefined || problem.offset < 0 || problem.offset > bytes.length)
      throw new Error("Error outside of the batch");
    return problem;
  }
}

/** Fails for a frame with more, fewer or other fields than the tables say. Plain throws, since it runs very often. */
function checkWhole(address: number, frame: Frame): void {
  let whole: boolean;
  if (frame.kind === "data") {
    whole = Object.keys(frame).join() === "kind,connection,last,text,offset,payload";
    whole &&= frame.payload.length <= limits.maxPayloadBytes && (frame.offset ?? 0) <= limits.maxOffset;
  } else {
    const bytes = encodeFrame(frame);
    const reader = address === routerAddress ? new RouterFrameReader(bytes) : new PeerFrameReader(bytes);
    whole = isDeepStrictEqual(plain(reader.next()), plain(frame));
  }
  if (!whole) throw new Error(`Frame "${frame.kind}" isn't as its table says`);
}

/** Batches of a few frames, small enough to try every change. */
const smallBatch = sends
  .map((list) => write(list.slice(0, 5))[0] ?? new Uint8Array())
  .filter((batch) => batch.length < 400);

describe("every kind of frame", () => {
  const tables = { router: routerFrames, peer: peerFrames };
  const kinds = Object.entries(tables).flatMap(([range, table]) =>
    Object.entries(table as Record<string, FrameShape>).map(([kind, shape]) => ({ range, kind, shape })),
  );

  test.for(kinds.filter(({ kind }) => kind !== "data"))(
    'a frame of the kind "$kind" is decoded as it was encoded',
    ({ range, kind, shape }) => {
      const property = fc.property(frameOf(kind, shape), fc.nat(9), (frame, before) => {
        const bytes = encodeFrame(frame as ControlFrame);
        expect(new DataView(bytes.buffer).getUint32(0)).toBe(shape.type * 2 ** 24 + bytes.length - 4);
        // In the middle of other bytes, so that a reader that leaves its range is seen.
        const around = new Uint8Array(before + bytes.length + 9).fill(0xff);
        around.set(bytes, before);
        const Reader = range === "router" ? RouterFrameReader : PeerFrameReader;
        const reader = new Reader(around, before, before + bytes.length);
        expect(isDeepStrictEqual(plain(reader.next()), plain(frame))).toBe(true);
        expect(reader.next()).toBeUndefined();
      });
      fc.assert(property, { numRuns: 200 });
    },
  );
});

describe("a sequence of frames to any addresses", () => {
  test("a sequence of frames is read as it was written, in order, in batches within the limit", () => {
    const property = fc.property(sends, (list) => {
      const batches = write(list);
      for (const batch of batches) expect(batch.length).toBeLessThanOrEqual(limits.maxBatchBytes);
      const placed = read(batches);
      expect(placed.map(({ address }) => address)).toEqual(list.map(({ address }) => address));
      placed.forEach(({ frame }, at) => {
        const sent = list[at]?.frame;
        // Whether an offset is carried is the next test's matter.
        const compared = sent?.kind === "data" && frame.kind === "data" ? { ...sent, offset: frame.offset } : sent;
        expect(isDeepStrictEqual(plain(frame), plain(compared))).toBe(true);
      });
    });
    fc.assert(property, { numRuns: 200 });
  });

  test("a data frame carries its offset unless it follows from the segment's data frame before", () => {
    const property = fc.property(sends, (list) => {
      const ends = new Map<string, number>();
      let last: { readonly segment: number; readonly key: string; readonly end: number } | undefined;
      read(write(list)).forEach(({ address, segment, frame }, at) => {
        const sent = list[at]?.frame;
        if (frame.kind !== "data" || sent?.kind !== "data") return;
        const key = `${address}/${frame.connection}`;
        const offset = sent.offset ?? ends.get(key) ?? 0;
        const follows = last?.segment === segment && last.key === key && last.end === offset;
        expect(frame.offset).toBe(follows ? undefined : offset);
        const end = offset + frame.payload.length + limits.frameCostBytes;
        ends.set(key, end);
        last = { segment, key, end };
      });
    });
    fc.assert(property, { numRuns: 200 });
  });

  test("a sequence of frames is read past unknown ignorable frames, wherever they stand", () => {
    const unknown = Uint8Array.of(0xff, 0, 0, 2, 7, 7);
    const property = fc.property(sends, fc.nat(), (list, seed) => {
      for (const { address, frame } of list) {
        const segment = write([{ address, frame }])[0]?.slice(8) ?? new Uint8Array();
        const pieces = seed % 2 === 0 ? [unknown, segment, unknown] : [unknown, unknown, segment];
        const Reader = address === routerAddress ? RouterFrameReader : PeerFrameReader;
        const reader = new Reader(new Uint8Array(Buffer.concat(pieces)));
        expect(isDeepStrictEqual(plain(reader.next()), plain(frame))).toBe(true);
        expect(reader.next()).toBeUndefined();
      }
    });
    fc.assert(property, { numRuns: 50 });
  });
});

describe("hostile input", () => {
  test("any bytes are read as frames or throw a ProtocolError", () => {
    const property = fc.property(fc.uint8Array({ maxLength: 300, size: "max" }), (bytes) => void readHostile(bytes));
    fc.assert(property, { numRuns: 2_000 });
  });

  test("any bytes as the body of any type are read as frames or throw a ProtocolError", () => {
    const property = fc.property(
      fc.nat(0xff),
      fc.boolean(),
      fc.uint8Array({ maxLength: 60, size: "max" }),
      (type, toRouter, body) => {
        const frame = [type, 0, 0, body.length, ...body];
        readHostile(Uint8Array.of(0, 0, 0, toRouter ? 0 : 1, 0, 0, 0, frame.length, ...frame));
      },
    );
    fc.assert(property, { numRuns: 10_000 });
  });

  test("a valid batch that is cut anywhere throws a ProtocolError, except between segments", () => {
    const property = fc.property(smallBatch, (batch) => {
      const boundaries = new Set([0]);
      const segments = new SegmentReader(batch);
      while (segments.next()) boundaries.add(segments.end);
      for (let cut = 0; cut <= batch.length; cut++) {
        expect(readHostile(batch.subarray(0, cut)) instanceof ProtocolError).toBe(!boundaries.has(cut));
      }
    });
    fc.assert(property, { numRuns: 50 });
  });

  test("a valid batch with any one bit flipped is read as frames or throws a ProtocolError", () => {
    const property = fc.property(smallBatch, (batch) => {
      for (let bit = 0; bit < batch.length * 8; bit++) {
        const flipped = batch.slice();
        flipped[bit >> 3] = (batch[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        readHostile(flipped);
      }
    });
    fc.assert(property, { numRuns: 30 });
  });
});
