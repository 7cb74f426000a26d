import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { ByteReader } from "../bytes.ts";
import { limits } from "../limits.ts";
import { ProtocolError } from "../protocol-error.ts";

/** The wire types that this schema has. */
export const wireTypes = { varint: 0, delimited: 2 } as const;

/** What the schema says about a field. */
interface FieldShape {
  readonly wireType: number;
  readonly many: boolean;
  /** The largest value of a varint. */
  readonly max: number;
  /** The shape of a map's entries. */
  readonly entry: Shape | undefined;
}

/** The fields of a message by their numbers. */
export type Shape = ReadonlyMap<number, FieldShape>;

const once = { wireType: wireTypes.delimited, many: false, max: 0, entry: undefined } as const;
const entryShape: Shape = new Map([
  [1, once],
  [2, once],
]);

/** The shape of a message of scalars, repeated strings and maps of strings, which are all that frames have. */
export function shapeOf(message: DescMessage): Shape {
  return new Map(message.fields.map((field) => [field.number, shapeOfField(field)]));
}

function shapeOfField(field: DescField): FieldShape {
  if (field.fieldKind === "map") return { ...once, many: true, entry: entryShape };
  if (field.fieldKind === "list") return { ...once, many: true };
  switch (field.scalar) {
    case ScalarType.BOOL:
      return { ...once, wireType: wireTypes.varint, max: 1 };
    case ScalarType.UINT32:
      return { ...once, wireType: wireTypes.varint, max: 0xffff_ffff };
    case ScalarType.UINT64:
      return { ...once, wireType: wireTypes.varint, max: limits.maxOffset };
    default:
      return once;
  }
}

/**
 * Refuses what the library accepts: fields that are unknown, repeated, of another type or cut off, and numbers too large for
 * their type. Returns the number of map entries, since the library keeps only one of those with the same key.
 * @throws ProtocolError
 */
export function scan(reader: ByteReader, shape: Shape): number {
  const seen = new Set<number>();
  let entries = 0;
  while (reader.position < reader.end) {
    const start = reader.position;
    const { number, wireType } = readTag(reader);
    const field = shape.get(number);
    if (field === undefined) throw new ProtocolError(`Unknown field ${number}`, start);
    if (wireType !== field.wireType)
      throw new ProtocolError(`Field ${number} of wire type ${wireType}, ${field.wireType} expected,`, start);
    if (seen.has(number) && !field.many) throw new ProtocolError(`Field ${number} comes twice`, start);
    seen.add(number);
    if (wireType === wireTypes.varint) scanNumber(reader, field.max);
    else {
      const content = readDelimited(reader);
      if (field.entry !== undefined) {
        entries++;
        scan(content, field.entry);
      }
    }
  }
  return entries;
}

function scanNumber(reader: ByteReader, max: number): void {
  const start = reader.position;
  const value = readVarint(reader, 10);
  if (value > limits.maxOffset) throw new ProtocolError("Offset past 2^53 - 1", start);
  if (value > max) throw new ProtocolError(`Number ${value}, at most ${max} allowed,`, start);
}

/** Reads the tag of a field. @throws ProtocolError */
export function readTag(reader: ByteReader): { number: number; wireType: number } {
  const tag = readVarint(reader, 5);
  return { number: Math.floor(tag / 8), wireType: tag % 8 };
}

/** Reads a length, and returns a reader of that many bytes. @throws ProtocolError */
export function readDelimited(reader: ByteReader): ByteReader {
  const count = readVarint(reader, 5);
  const start = reader.take(count);
  return new ByteReader(reader.bytes, start, start + count);
}

/** Reads a number. It is exact up to `maxOffset`, and a larger one stays larger. */
function readVarint(reader: ByteReader, maxBytes: number): number {
  const start = reader.position;
  let value = 0;
  let scale = 1;
  for (let count = 0; count < maxBytes; count++) {
    const byte = reader.u8();
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value;
    scale *= 0x80;
  }
  throw new ProtocolError(`Number of more than ${maxBytes} bytes`, start);
}
