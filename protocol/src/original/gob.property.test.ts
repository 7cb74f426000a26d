import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { originalLimits } from "../limits.ts";
import { ProtocolError } from "../protocol-error.ts";
import { encodeGob, gobDefinition, GobReader } from "./gob.ts";
import type { Message } from "./message.ts";

function readAll(reader: GobReader, bytes: Uint8Array): Message[] {
  return [...reader.read(bytes)];
}

const text = fc.oneof(
  { weight: 9, arbitrary: fc.string({ unit: "binary", maxLength: 40 }) },
  { weight: 1, arbitrary: fc.constantFrom("", "\ufeff", "\0", "a".repeat(127), "é".repeat(64), "a".repeat(65_536)) },
);
const data = fc.oneof(
  { weight: 9, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  { weight: 1, arbitrary: fc.constantFrom(127, 128, 255, 256, 65_535, 65_536).map((size) => new Uint8Array(size)) },
);
const message: fc.Arbitrary<Message> = fc.record(
  { meta: fc.oneof(fc.nat(10), fc.nat(255)), otherClient: text, connectionId: text, data },
  { noNullPrototype: true },
);
const smallText = fc.string({ unit: "binary", maxLength: 5 });
const smallMessages = fc.array(
  fc.record(
    { meta: fc.nat(10), otherClient: smallText, connectionId: smallText, data: fc.uint8Array({ maxLength: 5 }) },
    { noNullPrototype: true },
  ),
  { minLength: 1, maxLength: 4 },
);

const join = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));
const fresh = (): GobReader => new GobReader(new Uint8Array());

/** Reads what may be hostile: messages or a ProtocolError inside of the input. All else is thrown on. */
function readHostile(bytes: Uint8Array, reader = fresh()): Message[] | ProtocolError {
  let result: Message[] | ProtocolError;
  try {
    result = readAll(reader, bytes);
    checkWhole(result, bytes);
  } catch (problem) {
    if (!(problem instanceof ProtocolError)) throw problem;
    const { offset = -1 } = problem;
    if (offset < 0 || offset > bytes.length) throw new Error("Error outside of the input", { cause: problem });
    result = problem;
  }
  const { definitions } = reader;
  if (definitions.length > originalLimits.maxGobDefinitionBytes) throw new Error("Too many bytes of definitions");
  // Definitions that are kept can be given back.
  if (!Buffer.from(new GobReader(definitions).definitions).equals(definitions)) throw new Error("Lost definitions");
  return result;
}

/** A value has 4 bytes at least, and data is a view: so memory is bounded by the input. Plain throws, for speed. */
function checkWhole(messages: readonly Message[], bytes: Uint8Array): void {
  if (messages.length > bytes.length / 4) throw new Error("More values than bytes for them");
  for (const { meta, data } of messages) {
    if (!Number.isInteger(meta) || meta < 0 || meta > 255) throw new Error("Meta isn't a byte");
    if (data.length > 0 && data.buffer !== bytes.buffer) throw new Error("Data was copied");
  }
}

describe("a message", () => {
  test("a message of gob is read as it was encoded", () => {
    const property = fc.property(fc.array(message, { maxLength: 5 }), (list) => {
      const read = readAll(fresh(), join(gobDefinition, ...list.map(encodeGob)));
      expect(read).toEqual(list);
    });
    fc.assert(property, { numRuns: 500 });
  });

  test("a message of gob is read by a new reader with the definitions of the one before, wherever that ends", () => {
    const property = fc.property(fc.array(message, { minLength: 1, maxLength: 5 }), (list) => {
      let { definitions } = fresh();
      const read = [gobDefinition, ...list.map(encodeGob)].flatMap((bytes) => {
        const reader = new GobReader(definitions);
        const messages = readAll(reader, bytes);
        ({ definitions } = reader);
        return messages;
      });
      expect(read).toEqual(list);
      expect(definitions).toEqual(gobDefinition);
    });
    fc.assert(property, { numRuns: 200 });
  });
});

describe("hostile input", () => {
  test("any bytes of gob are read as messages or throw a ProtocolError", () => {
    const property = fc.property(fc.uint8Array({ maxLength: 300, size: "max" }), (bytes) => {
      readHostile(bytes);
      readHostile(bytes, new GobReader(gobDefinition));
    });
    fc.assert(property, { numRuns: 5_000 });
  });

  test("any bytes as a value, a definition or its fields of gob are read as messages or throw a ProtocolError", () => {
    // Small numbers are what lengths, steps and ids are mostly.
    const byte = fc.oneof(fc.nat(12), fc.nat(255), fc.constantFrom(0x40, 0xf7, 0xf8, 0xfe, 0xff));
    const beginnings = [
      [0xff, 0x80],
      [0x7f],
      [0x7f, 3],
      [...gobDefinition.subarray(1, 17)],
      [...gobDefinition.subarray(1, 19)],
    ];
    const property = fc.property(
      fc.constantFrom(...beginnings),
      fc.array(byte, { maxLength: 60, size: "max" }),
      (beginning, rest) => {
        const bytes = Uint8Array.of(beginning.length + rest.length, ...beginning, ...rest);
        readHostile(bytes);
        readHostile(bytes, new GobReader(gobDefinition));
      },
    );
    fc.assert(property, { numRuns: 20_000 });
  });

  test("a valid stream of gob that is cut anywhere throws a ProtocolError, except between gob messages", () => {
    const property = fc.property(smallMessages, (list) => {
      const parts = [gobDefinition, ...list.map(encodeGob)];
      const stream = join(...parts);
      const boundaries = new Set<number>();
      parts.reduce((end, part) => (boundaries.add(end + part.length), end + part.length), 0);
      for (let cut = 0; cut <= stream.length; cut++)
        expect(readHostile(stream.subarray(0, cut)) instanceof ProtocolError).toBe(!boundaries.has(cut));
    });
    fc.assert(property, { numRuns: 100 });
  });

  test("a valid stream of gob with any one bit flipped is read as messages or throws a ProtocolError", () => {
    const property = fc.property(smallMessages, (list) => {
      const stream = join(gobDefinition, ...list.map(encodeGob));
      for (let bit = 0; bit < stream.length * 8; bit++) {
        const flipped = stream.slice();
        flipped[bit >> 3] = (stream[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        readHostile(flipped);
      }
    });
    fc.assert(property, { numRuns: 50 });
  });

  test("a stream of the most and smallest gob values is read only once", () => {
    const values = new Uint8Array(4 * 250_000);
    for (let at = 0; at < values.length; at += 4) values.set([3, 0xff, 0x80, 0], at);
    expect(readHostile(join(gobDefinition, values))).toHaveLength(250_000);
    const fields = join(Uint8Array.of(0xfd, 0x0f, 0x42, 0x43, 0xff, 0x80, 1), new Uint8Array(1_000_000));
    expect(readHostile(join(gobDefinition, fields))).toBeInstanceOf(ProtocolError);
  });
});
