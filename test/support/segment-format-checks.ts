// Checks for every format of frames in segments but the native one, which has tests of its own.
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { FrameReader, SegmentFormat } from "../../protocol/src/formats/format.ts";
import { limits } from "../../protocol/src/limits.ts";
import { ProtocolError } from "../../protocol/src/protocol-error.ts";
import frameVectors from "../../protocol/vectors/frames.json" with { type: "json" };
import { dataFrame, type Frame, peerKinds, plain, routerKinds } from "./frame-arbitraries.ts";
import { frameOf, fromHex, type HexBytes } from "./frame-vectors.ts";

/** A file of vectors: see protocol/vectors/README.md. */
interface FormatVectors {
  readonly frames: readonly { comment: string; range: string; canonical: boolean; frame: object; hex: HexBytes }[];
  readonly invalid: readonly { comment: string; range: string; hex: HexBytes; error: string }[];
}

function readerOf(format: SegmentFormat, range: string, bytes: Uint8Array): FrameReader<Frame> {
  return range === "router" ? format.routerFrames(bytes, 0, bytes.length) : format.peerFrames(bytes, 0, bytes.length);
}

/** All frames of a segment. @throws ProtocolError */
export function readAll(format: SegmentFormat, range: string, bytes: Uint8Array): Frame[] {
  const reader = readerOf(format, range, bytes);
  const frames: Frame[] = [];
  for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
    // Stops by itself only if each step moves on; no frame has fewer than two bytes.
    if (frames.push(frame) > bytes.length / 2) throw new Error("Decoding doesn't end");
  }
  return frames;
}

/** The outcomes that hostile bytes may have: whole frames, or a ProtocolError. Any other error is thrown on. */
function readHostile(format: SegmentFormat, range: string, bytes: Uint8Array): Frame[] | ProtocolError {
  try {
    const frames = readAll(format, range, bytes);
    // Plain throws, since this runs very often.
    for (const frame of frames) {
      const again = readAll(format, range, format.encode(frame));
      if (!isDeepStrictEqual(again.map(plain), [plain(frame)])) throw new Error(`Frame "${frame.kind}" isn't whole`);
    }
    return frames;
  } catch (problem) {
    if (!(problem instanceof ProtocolError)) throw problem;
    if (!((problem.offset ?? -1) >= 0 && (problem.offset ?? 0) <= bytes.length)) throw new Error("Error outside");
    return problem;
  }
}

function joined(format: SegmentFormat, frames: readonly Frame[]): Uint8Array {
  return new Uint8Array(Buffer.concat(frames.map((frame) => format.encode(frame))));
}

const dataFrames = fc.oneof(
  dataFrame,
  dataFrame.map((frame) => ({ ...frame, offset: undefined })),
);
const framesOf = {
  router: fc.array(fc.oneof(...routerKinds), { maxLength: 8 }),
  peer: fc.array(fc.oneof(dataFrames, ...peerKinds), { maxLength: 8 }),
};

/** Frames small enough to try every change. */
function smallSegment(format: SegmentFormat, range: "router" | "peer"): fc.Arbitrary<Uint8Array> {
  return framesOf[range].map((frames) => joined(format, frames.slice(0, 4))).filter(({ length }) => length < 300);
}

/** Runs the vectors of all formats, and those of a file in protocol/vectors. */
export function checkVectors(format: SegmentFormat, file: string): void {
  // Not imported: what an import makes of an object takes the key "__proto__" for its prototype.
  const json = readFileSync(new URL(`../../protocol/vectors/${file}`, import.meta.url), "utf8");
  const { frames, invalid } = JSON.parse(json) as FormatVectors;

  describe("vectors of all formats", () => {
    test.for(frameVectors)(
      `${format.subprotocol} decodes the frame of frames.json as it was encoded: $range $comment`,
      ({ range, frame: fields }) => {
        const frame = frameOf(fields);
        expect(readAll(format, range, format.encode(frame))).toEqual([frame]);
      },
    );
  });

  describe("vectors of this format", () => {
    test.for([...frames])(`the vector of ${file} is decoded: $range $comment`, ({ range, frame, hex }) => {
      expect(readAll(format, range, fromHex(hex))).toEqual([frameOf(frame)]);
    });

    test.for(frames.filter(({ canonical }) => canonical))(
      `the vector of ${file} is encoded: $range $comment`,
      ({ frame, hex }) => {
        expect(Buffer.from(format.encode(frameOf(frame))).toString("hex")).toBe(
          Buffer.from(fromHex(hex)).toString("hex"),
        );
      },
    );

    test.for([...invalid])(`the vector of ${file} is refused: $range: $comment`, ({ range, hex, error }) => {
      let thrown: unknown;
      try {
        readAll(format, range, fromHex(hex));
      } catch (problem) {
        thrown = problem;
      }
      expect(thrown).toBeInstanceOf(ProtocolError);
      expect((thrown as ProtocolError).message).toBe(error);
    });

    test(`the vectors of ${file} cover every frame of frames.json`, () => {
      const known = frames.map(({ frame }) => frame);
      for (const { frame } of frameVectors) expect(known).toContainEqual(frame);
    });
  });
}

/** Any frames are read as they were written. */
export function checkSequences(format: SegmentFormat): void {
  describe.for(["router", "peer"] as const)("any %s frames", (range) => {
    test(`any ${range} frames in ${format.subprotocol} are read as they were written, from the middle of other bytes`, () => {
      const property = fc.property(framesOf[range], fc.nat(9), (frames, before) => {
        const bytes = joined(format, frames);
        const around = new Uint8Array(before + bytes.length + 9).fill(0xff);
        around.set(bytes, before);
        const end = before + bytes.length;
        const reader =
          range === "router" ? format.routerFrames(around, before, end) : format.peerFrames(around, before, end);
        for (const frame of frames) expect(isDeepStrictEqual(plain(reader.next()), plain(frame))).toBe(true);
        expect(reader.next()).toBeUndefined();
      });
      fc.assert(property, { numRuns: 300 });
    });
  });

  test(`a ${format.subprotocol} reader's position is where the next router frame begins`, () => {
    const property = fc.property(framesOf.router, (frames) => {
      const bytes = joined(format, frames);
      const reader = format.routerFrames(bytes, 0, bytes.length);
      let position = 0;
      for (const frame of frames) {
        expect(reader.position).toBe(position);
        reader.next();
        position += format.encode(frame).length;
      }
      expect(reader.position).toBe(bytes.length);
    });
    fc.assert(property, { numRuns: 100 });
  });

  test(`a payload in ${format.subprotocol} is a view on the segment`, () => {
    const frame = {
      kind: "data",
      connection: 1,
      last: true,
      text: false,
      offset: 5,
      payload: Uint8Array.of(1, 2),
    } as const;
    const bytes = format.encode(frame);
    const [read] = readAll(format, "peer", bytes);
    expect(read?.kind === "data" && read.payload.buffer === bytes.buffer).toBe(true);
  });

  test(`half a surrogate pair is encoded in ${format.subprotocol} as the replacement character`, () => {
    const texts = {
      kind: "peers",
      request: 1,
      cursor: "\ud800",
      names: ["a\udfff", `${"b".repeat(60)}\ud800`],
    } as const;
    const [read] = readAll(format, "router", format.encode(texts));
    expect(read).toEqual({ ...texts, cursor: "\ufffd", names: ["a\ufffd", `${"b".repeat(60)}\ufffd`] });
    const to = { connection: 1, address: 0, session: "0".repeat(32), peer: "", protocol: "" };
    const rest = { limit: 0, metadata: { "\ud800": "\ud800" }, flags: 0, first: new Uint8Array() };
    const bytes = format.encode({ kind: "open", ...to, ...rest });
    expect(readAll(format, "router", bytes)).toMatchObject([{ metadata: { "\ufffd": "\ufffd" } }]);
  });
}

/** Any bytes are read as frames or throw a ProtocolError. */
export function checkHostile(format: SegmentFormat): void {
  describe.for(["router", "peer"] as const)("hostile input among %s frames", (range) => {
    test(`any bytes as ${range} frames of ${format.subprotocol} are read as frames or throw a ProtocolError`, () => {
      const property = fc.property(fc.uint8Array({ maxLength: 200, size: "max" }), (bytes) => {
        readHostile(format, range, bytes);
      });
      fc.assert(property, { numRuns: 5_000 });
    });

    test(`${range} frames of ${format.subprotocol} that are cut anywhere throw a ProtocolError, except between frames`, () => {
      const property = fc.property(framesOf[range], (list) => {
        const frames = list.slice(0, 4);
        const bytes = joined(format, frames);
        if (bytes.length > 300) return;
        const boundaries = new Set([0]);
        frames.forEach((_, at) => boundaries.add(joined(format, frames.slice(0, at + 1)).length));
        for (let cut = 0; cut <= bytes.length; cut++)
          expect(readHostile(format, range, bytes.subarray(0, cut)) instanceof ProtocolError).toBe(
            !boundaries.has(cut),
          );
      });
      fc.assert(property, { numRuns: 100 });
    });

    test(`${range} frames of ${format.subprotocol} with any one bit flipped are read as frames or throw a ProtocolError`, () => {
      const property = fc.property(smallSegment(format, range), (bytes) => {
        for (let bit = 0; bit < bytes.length * 8; bit++) {
          const flipped = bytes.slice();
          flipped[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
          readHostile(format, range, flipped);
        }
      });
      fc.assert(property, { numRuns: 20 });
    });

    test(`${range} frames of ${format.subprotocol} with any one byte changed, left out or put in are read as frames or throw a ProtocolError`, () => {
      const property = fc.property(smallSegment(format, range), fc.nat(0xff), (bytes, byte) => {
        for (let at = 0; at < bytes.length; at++) {
          for (const [count, piece] of [
            [1, [byte]],
            [1, []],
            [0, [byte]],
          ] as const)
            readHostile(
              format,
              range,
              Uint8Array.of(...bytes.subarray(0, at), ...piece, ...bytes.subarray(at + count)),
            );
        }
      });
      fc.assert(property, { numRuns: 60 });
    });
  });
}

/** Fails if reading takes far more memory than there are bytes: all that it took, whether or not it gave it back. */
export function expectLittleMemory(format: SegmentFormat, range: string, bytes: Uint8Array): void {
  expect(bytes.length).toBeLessThanOrEqual(limits.maxBatchBytes);
  const used = (): number => {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const before = used();
  expect(() => readAll(format, range, bytes)).toThrow(ProtocolError);
  expect(used() - before).toBeLessThan(2 ** 26);
}
