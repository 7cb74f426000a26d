import type { ByteReader } from "../bytes.ts";
import { limits } from "../limits.ts";
import { ProtocolError } from "../protocol-error.ts";
import { decodeText } from "../utf8.ts";

/** The MessagePack values in frames. */
export type Value = number | string | Uint8Array | readonly Value[] | ReadonlyMap<Value, Value>;

/** The frame itself, and its fields. Elements of a field contain nothing else. */
const maxDepth = 2;

/**
 * Reads one value: an unsigned integer, str, bin, array or map, in any of its encodings.
 *
 * The library that encodes is not safe here. Its decoder allocates all the elements that an array declares, at any depth:
 * a batch of nested arrays takes 200 MB before it is refused. It also accepts invalid UTF-8, repeated keys and floats, and
 * drops a byte order mark.
 * @throws ProtocolError
 */
export function readValue(reader: ByteReader, depth = 0): Value {
  const start = reader.position;
  const byte = reader.u8();
  if (byte < 0x80) return byte;
  if (byte < 0x90) return readMap(reader, byte & 0x0f, depth);
  if (byte < 0xa0) return readArray(reader, byte & 0x0f, depth);
  if (byte < 0xc0) return readText(reader, byte & 0x1f, start);
  switch (byte) {
    case 0xc4:
      return reader.slice(reader.u8());
    case 0xc5:
      return reader.slice(reader.u16());
    case 0xc6:
      return reader.slice(reader.u32());
    case 0xcc:
      return reader.u8();
    case 0xcd:
      return reader.u16();
    case 0xce:
      return reader.u32();
    case 0xcf:
      return reader.u64();
    case 0xd9:
      return readText(reader, reader.u8(), start);
    case 0xda:
      return readText(reader, reader.u16(), start);
    case 0xdb:
      return readText(reader, reader.u32(), start);
    case 0xdc:
      return readArray(reader, reader.u16(), depth);
    case 0xdd:
      return readArray(reader, reader.u32(), depth);
    case 0xde:
      return readMap(reader, reader.u16(), depth);
    case 0xdf:
      return readMap(reader, reader.u32(), depth);
    default:
      throw new ProtocolError(`MessagePack type 0x${byte.toString(16)} is in no frame`, start);
  }
}

function readText(reader: ByteReader, count: number, start: number): string {
  return decodeText(reader.slice(count), start);
}

function readArray(reader: ByteReader, count: number, depth: number): Value[] {
  checkSize(reader, count, depth);
  const values: Value[] = [];
  while (values.length < count) values.push(readValue(reader, depth + 1));
  return values;
}

function readMap(reader: ByteReader, count: number, depth: number): ReadonlyMap<Value, Value> {
  const start = reader.position;
  checkSize(reader, count, depth);
  const map = new Map<Value, Value>();
  for (let at = 0; at < count; at++) map.set(readValue(reader, depth + 1), readValue(reader, depth + 1));
  if (map.size !== count) throw new ProtocolError("Map with a key twice", start);
  return map;
}

/** Bounds the memory of one frame: an empty map takes far more memory than its byte. */
function checkSize(reader: ByteReader, count: number, depth: number): void {
  if (depth === maxDepth) throw new ProtocolError("Array or map deeper than any in a frame", reader.position);
  if (count > limits.maxPageLength)
    throw new ProtocolError(`${count} values, at most ${limits.maxPageLength} allowed,`, reader.position);
}
