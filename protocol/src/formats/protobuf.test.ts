import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import {
  checkHostile,
  checkSequences,
  checkVectors,
  expectLittleMemory,
  readAll,
} from "../../../test/support/segment-format-checks.ts";
import { type FieldKind, type FrameShape, peerFrames, routerFrames } from "../frames.ts";
import { limits } from "../limits.ts";
import { FrameSchema, FramesSchema } from "./frames_pb.ts";
import { protobuf } from "./protobuf.ts";

checkVectors(protobuf, "protobuf.json");
checkSequences(protobuf);
checkHostile(protobuf);

describe("the schema", () => {
  /** The type of a kind of field, by the names of protocol buffers. */
  const typeOfKind: Record<FieldKind, string> = {
    u8: "UINT32",
    u16: "UINT32",
    u32: "UINT32",
    u64: "UINT64",
    id: "BYTES",
    text: "STRING",
    texts: "list of STRING",
    map: "map of STRING to STRING",
    rest: "BYTES",
  };

  function typeOf(field: DescField): string {
    const scalar = field.scalar === undefined ? "?" : ScalarType[field.scalar];
    if (field.fieldKind === "list") return `list of ${scalar}`;
    return field.fieldKind === "map" ? `map of ${ScalarType[field.mapKey]} to ${scalar}` : scalar;
  }

  const fieldsOf = (message: DescMessage | undefined): string[] =>
    (message?.fields ?? []).map((field) => `${field.number} ${field.localName}: ${typeOf(field)}`);

  const { data, ...others } = { ...routerFrames, ...peerFrames };

  test("the Protobuf schema has a message for every frame, under the number of its type, and no other", () => {
    const types = Object.entries({ ...others, data }).map(([kind, { type }]) => `${type} ${kind}`);
    const numbers = FrameSchema.fields.map(({ number, localName }) => `${number} ${localName}`);
    expect(numbers.toSorted()).toEqual(types.toSorted());
    expect(FramesSchema.fields.map(({ number, localName }) => `${number} ${localName}`)).toEqual(["1 frames"]);
  });

  test.for(Object.entries<FrameShape>(others))(
    "the Protobuf schema has the fields of %s in the order of its table",
    ([kind, { fields }]) => {
      const expected = Object.entries(fields).map(([field, spec], at) => {
        const fieldKind = typeof spec === "string" ? spec : spec[0];
        return `${at + 1} ${field}: ${typeOfKind[fieldKind]}`;
      });
      expect(fieldsOf(FrameSchema.fields.find(({ localName }) => localName === kind)?.message)).toEqual(expected);
    },
  );

  test("the Protobuf schema has data's flags as fields", () => {
    const message = FrameSchema.fields.find(({ localName }) => localName === "data")?.message;
    expect(fieldsOf(message)).toEqual([
      "1 connection: UINT32",
      "2 last: BOOL",
      "3 text: BOOL",
      "4 offset: UINT64",
      "5 payload: BYTES",
    ]);
  });
});

describe("a segment", () => {
  test("a Protobuf segment gives the frames before a fault first", () => {
    const stop = protobuf.encode({ kind: "stop", connection: 1 });
    const bytes = Uint8Array.of(...stop, ...stop, 0x0a, 0x00);
    const reader = protobuf.peerFrames(bytes, 0, bytes.length);
    expect(reader.next()).toEqual({ kind: "stop", connection: 1 });
    expect(reader.next()).toEqual({ kind: "stop", connection: 1 });
    expect(() => reader.next()).toThrow(`Frame without a kind at byte ${stop.length * 2}`);
  });
});

describe("memory for Protobuf", () => {
  test.for([
    ["a frame", [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]],
    ["a kind", [0x0a, 0x06, 0x52, 0xff, 0xff, 0xff, 0xff, 0x0f]],
    ["a payload", [0x0a, 0x09, 0x8a, 0x04, 0x06, 0x2a, 0xff, 0xff, 0xff, 0xff, 0x0f]],
    ["a text", [0x0a, 0x08, 0x6a, 0x06, 0x12, 0xff, 0xff, 0xff, 0xff, 0x0f]],
  ] as const)("a Protobuf reader takes no memory for %s of 4 GiB that is only announced", ([, bytes]) => {
    for (const range of ["router", "peer"]) expectLittleMemory(protobuf, range, Uint8Array.from(bytes));
  });

  test("a Protobuf reader takes no memory for a whole batch of empty names", () => {
    const body = Array.from({ length: 120_000 }, (_, at) => (at % 2 === 0 ? 0x1a : 0x00));
    const varint = (value: number): number[] => [(value & 0x7f) | 0x80, ((value >> 7) & 0x7f) | 0x80, value >> 14];
    const peers = [0x72, ...varint(body.length), ...body];
    const bytes = Uint8Array.from([0x0a, ...varint(peers.length), ...peers]);
    expect(bytes.length).toBeLessThan(limits.maxBatchBytes);
    expectLittleMemory(protobuf, "router", bytes);
    expect(() => readAll(protobuf, "router", bytes)).toThrow("60000 texts, at most 500 allowed, at byte 0");
  });
});
