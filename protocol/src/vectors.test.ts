import { Buffer } from "node:buffer";
import { describe, expect, test } from "vitest";
import { frameOf, fromHex } from "../../test/support/frame-vectors.ts";
import batchVectors from "../vectors/batches.json" with { type: "json" };
import frameVectors from "../vectors/frames.json" with { type: "json" };
import invalidVectors from "../vectors/invalid.json" with { type: "json" };
import nameVectors from "../vectors/names.json" with { type: "json" };
import { BatchWriter, routerAddress, SegmentReader } from "./batch.ts";
import { encodeData, encodeFrame, PeerFrameReader, RouterFrameReader } from "./codec.ts";
import { type ControlFrame, type DataFrame, dataFlags, ignorableBit, peerFrames, routerFrames } from "./frames.ts";
import { limits } from "./limits.ts";
import { nameProblem, protocolProblem, realmProblem } from "./names.ts";
import { ProtocolError } from "./protocol-error.ts";

type Frame = ControlFrame | DataFrame;
function readAll(range: string, bytes: Uint8Array, start = 0, end = bytes.length): Frame[] {
  const reader = range === "router" ? new RouterFrameReader(bytes, start, end) : new PeerFrameReader(bytes, start, end);
  const frames: Frame[] = [];
  for (let frame = reader.next(); frame !== undefined; frame = reader.next()) frames.push(frame);
  return frames;
}

function readBatch(bytes: Uint8Array): { address: number; frames: Frame[] }[] {
  const segments = new SegmentReader(bytes);
  const read: { address: number; frames: Frame[] }[] = [];
  while (segments.next()) {
    const range = segments.address === routerAddress ? "router" : "peer";
    read.push({ address: segments.address, frames: readAll(range, bytes, segments.start, segments.end) });
  }
  return read;
}

/** Writes segments and returns the one batch. Where a vector has no offset, it follows from the data frame before. */
function writeBatch(segments: readonly { address: number; frames: readonly Frame[] }[]): Uint8Array {
  const batches: Uint8Array[] = [];
  const writer = new BatchWriter((batch) => batches.push(batch));
  for (const { address, frames } of segments) {
    let end = 0;
    for (const frame of frames) {
      if (frame.kind !== "data") writer.frame(address, frame);
      else {
        const { connection, payload } = frame;
        const flags = (frame.last ? dataFlags.last : 0) | (frame.text ? dataFlags.text : 0);
        const offset = frame.offset ?? end;
        end = offset + payload.length + limits.frameCostBytes;
        writer.data({ address, connection }, flags, offset, payload);
      }
    }
  }
  writer.flush();
  expect(batches).toHaveLength(1);
  return batches[0] ?? new Uint8Array();
}

describe("frames.json", () => {
  test.for(frameVectors)("the vector of frames.json is decoded: $range $comment", ({ range, frame, hex }) => {
    expect(readAll(range, fromHex(hex))).toEqual([frameOf(frame)]);
  });

  test.for(frameVectors)("the vector of frames.json is encoded: $range $comment", ({ frame: fields, hex }) => {
    const frame = frameOf(fields);
    const bytes = frame.kind === "data" ? encodeData(frame) : encodeFrame(frame);
    expect(Buffer.from(bytes).equals(fromHex(hex))).toBe(true);
    // A writer has the first data frame of a segment carry its offset.
    if (frame.kind !== "data" || frame.offset === undefined) return;
    expect(Buffer.from(writeBatch([{ address: 1, frames: [frame] }]).slice(8)).equals(fromHex(hex))).toBe(true);
  });

  test("frames.json has at least two vectors for every frame that has fields", () => {
    for (const [kind, { fields }] of Object.entries({ ...routerFrames, ...peerFrames })) {
      const count = frameVectors.filter(({ frame }) => frame.kind === kind).length;
      expect(count, kind).toBeGreaterThanOrEqual(Object.keys(fields).length === 0 ? 1 : 2);
    }
  });
});

describe("the types of frames", () => {
  test("the types of frames are all different, below 40 for the router's and from there up to the ignorable bit for the peers'", () => {
    const typesOf = (table: object): number[] => Object.values(table).map(({ type }: { type: number }) => type);
    const [router, peer] = [typesOf(routerFrames), typesOf(peerFrames)];
    expect(new Set([...router, ...peer]).size).toBe(router.length + peer.length);
    for (const type of router) expect(type).toBeLessThan(0x40);
    for (const type of peer) expect(type).toBeGreaterThanOrEqual(0x40);
    for (const type of peer) expect(type).toBeLessThan(ignorableBit);
  });
});

describe("batches.json", () => {
  test.for(batchVectors)("the vector of batches.json is decoded: $comment", ({ hex, segments }) => {
    const expected = segments.map(({ address, frames }) => ({ address, frames: frames.map(frameOf) }));
    expect(readBatch(fromHex(hex))).toEqual(expected);
  });

  test.for(batchVectors.filter(({ canonical }) => canonical))(
    "the vector of batches.json is encoded: $comment",
    ({ hex, segments }) => {
      const frames = segments.map(({ address, frames }) => ({ address, frames: frames.map(frameOf) }));
      expect(Buffer.from(writeBatch(frames)).toString("hex")).toBe(Buffer.from(fromHex(hex)).toString("hex"));
    },
  );
});

describe("invalid.json", () => {
  test.for(invalidVectors)("the vector of invalid.json is refused: $range: $comment", ({ range, hex, error }) => {
    const bytes = fromHex(hex);
    let thrown: unknown;
    try {
      if (range === "batch") readBatch(bytes);
      else readAll(range, bytes);
    } catch (problem) {
      thrown = problem;
    }
    expect(thrown).toBeInstanceOf(ProtocolError);
    expect((thrown as ProtocolError).message).toBe(error);
    expect(error.endsWith(` at byte ${(thrown as ProtocolError).offset}`)).toBe(true);
  });
});

describe("names.json", () => {
  const problemOf = { client: nameProblem, protocol: protocolProblem, realm: realmProblem };
  const cases = (["client", "protocol", "realm"] as const).flatMap((kind) =>
    nameVectors[kind].map((vector: { comment: string; name: string; problem?: string }) => ({ kind, ...vector })),
  );

  test.for(cases)("the vector of names.json is judged as it says: $kind name, $comment", ({ kind, name, problem }) => {
    expect(problemOf[kind](name)).toBe(problem);
  });
});
