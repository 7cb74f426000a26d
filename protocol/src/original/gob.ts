/**
 * The part of Go's encoding/gob that one struct needs. The reader refuses:
 *
 * - A type other than a struct with exactly the fields Meta, OtherClient, ConnectionID and Data, in any order, of the
 *   types uint, string, string and []byte. The struct may have any name.
 * - Maps, arrays, slices other than []byte, interfaces, structs in structs, and types that encode themselves
 *   (GobEncoder, BinaryMarshaler, TextMarshaler). So no type refers to another one.
 * - A gob message that spans two WebSocket messages, and an empty WebSocket message.
 * - More than 8 type definitions in a stream, or more than 2,048 bytes of them.
 * - A second value in one gob message, and any other bytes after the first value.
 * - Numbers past 2^53 - 1, a Meta past 255, and strings that aren't UTF-8. Go would accept these.
 *
 * As in Go, a number may take more bytes than it needs, a field may be present though it is zero, and no type may be
 * defined twice. The work is linear in the input, and values hold views on it.
 *
 * The encoding: a number below 128 is one byte. A larger one is 256 minus its count of bytes, then these, big-endian. A
 * signed number is doubled, or doubled and inverted if it is negative. Strings and bytes have their length in front. A
 * struct is its fields that aren't zero, each after the step from the number of the field before it, then a step of 0. A
 * message is its length, the id of a type, and a value. The id is negative if the definition of that type follows.
 */
import { ByteReader, ByteWriter } from "../bytes.ts";
import { originalLimits } from "../limits.ts";
import { ProtocolError } from "../protocol-error.ts";
import { decodeText } from "../utf8.ts";
import type { Message } from "./message.ts";

/** Ids below this one are of Go's own types. */
const firstTypeId = 64;
const maxTypeId = 0x7fff_ffff;
const maxMeta = 0xff;

type Field = keyof Message;

/** The ids of some of Go's own types. */
const builtin = { uint: 3, bytes: 5, string: 6 } as const;

/** The fields of the original's struct. */
const structFields: readonly { readonly name: string; readonly field: Field; readonly kind: keyof typeof builtin }[] = [
  { name: "Meta", field: "meta", kind: "uint" },
  { name: "OtherClient", field: "otherClient", kind: "string" },
  { name: "ConnectionID", field: "connectionId", kind: "string" },
  { name: "Data", field: "data", kind: "bytes" },
];

/** The kinds of types that can be defined, in the order in which Go numbers them from 1. */
const wireTypes = ["array", "slice", "struct", "map", "GobEncoder", "BinaryMarshaler", "TextMarshaler"] as const;
const structWireType = 3;

const encoder = new TextEncoder();
const noBytes = new Uint8Array();

/** The definition of the struct, which goes before the first message of a stream, as one gob message. */
export const gobDefinition: Uint8Array = writeDefinition();

/** Encodes a message, for a stream that has defined the struct. @throws TypeError for a `meta` that isn't a byte */
export function encodeGob(message: Message): Uint8Array<ArrayBuffer> {
  const { meta, otherClient, connectionId, data } = message;
  if (!Number.isInteger(meta) || meta < 0 || meta > maxMeta) throw new TypeError("Meta must be a whole number to 255");
  const body = new ByteWriter();
  writeInt(body, firstTypeId);
  let step = 1;
  if (meta !== 0) {
    body.u8(step);
    writeUint(body, meta);
    step = 0;
  }
  for (const bytes of [encoder.encode(otherClient), encoder.encode(connectionId), data]) {
    step++;
    if (bytes.length === 0) continue;
    body.u8(step);
    writeBytes(body, bytes);
    step = 0;
  }
  body.u8(0);
  return lengthFirst(body);
}

function writeDefinition(): Uint8Array {
  const body = new ByteWriter();
  writeInt(body, -firstTypeId);
  body.u8(structWireType);
  body.u8(1); // Every type has a name and an id.
  writeNameAndId(body, "Message", firstTypeId);
  body.u8(1); // The fields.
  writeUint(body, structFields.length);
  for (const { name, kind } of structFields) writeNameAndId(body, name, builtin[kind]);
  body.u8(0);
  body.u8(0);
  return lengthFirst(body);
}

function writeNameAndId(writer: ByteWriter, name: string, id: number): void {
  writer.u8(1);
  writeBytes(writer, encoder.encode(name));
  writer.u8(1);
  writeInt(writer, id);
  writer.u8(0);
}

function writeUint(writer: ByteWriter, value: number): void {
  if (value < 0x80) {
    writer.u8(value);
    return;
  }
  let count = 1;
  while (value >= 0x100 ** count) count++;
  writer.u8(0x100 - count);
  while (count-- > 0) writer.u8(Math.floor(value / 0x100 ** count) % 0x100);
}

function writeInt(writer: ByteWriter, value: number): void {
  writeUint(writer, value < 0 ? -2 * value - 1 : 2 * value);
}

function writeBytes(writer: ByteWriter, bytes: Uint8Array): void {
  writeUint(writer, bytes.length);
  writer.append(bytes);
}

function lengthFirst(body: ByteWriter): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter();
  writeBytes(writer, body.take());
  return writer.take();
}

/** Reads the values in whole WebSocket messages. `definitions` can be stored, and given to another reader later. */
export class GobReader {
  /** The fields of each type that the stream has defined, in the order of its definition. */
  readonly #types = new Map<number, readonly Field[]>();
  #definitions: Uint8Array = noBytes;

  /** @throws ProtocolError if `definitions`, of an earlier reader or empty, can't be read */
  constructor(definitions: Uint8Array) {
    const reader = new ByteReader(definitions);
    while (reader.position < reader.end) {
      const start = reader.position;
      const message = nextMessage(reader);
      const id = readTypeId(message);
      if (id >= 0) throw new ProtocolError("A value among stored type definitions", start);
      this.#define(-id, message, start);
    }
  }

  /** The messages that defined types, as received: at most `originalLimits.maxGobDefinitionBytes`. Never changed in place. */
  get definitions(): Uint8Array {
    return this.#definitions;
  }

  /**
   * Reads one WebSocket message, of one or more whole gob messages. Yields the values before a fault, after which the
   * stream can't be read any further. @throws ProtocolError
   */
  *read(bytes: Uint8Array): Iterable<Message> {
    if (bytes.length === 0) throw new ProtocolError("WebSocket message without a gob message", 0);
    const reader = new ByteReader(bytes);
    while (reader.position < reader.end) {
      const start = reader.position;
      const message = nextMessage(reader);
      const idStart = message.position;
      const id = readTypeId(message);
      if (id < 0) {
        this.#define(-id, message, start);
        continue;
      }
      const fields = this.#types.get(id);
      if (fields === undefined) throw new ProtocolError(`Value of type ${id}, which isn't defined,`, idStart);
      const value = readValue(message, fields);
      checkEnd(message, "value");
      yield value;
    }
  }

  /** Adds a definition. `start` is where its gob message begins. */
  #define(id: number, message: ByteReader, start: number): void {
    if (id < firstTypeId) throw new ProtocolError(`Definition of type ${id}, which is Go's own,`, start);
    if (this.#types.has(id)) throw new ProtocolError(`Second definition of type ${id}`, start);
    if (this.#types.size >= originalLimits.maxGobDefinitions)
      throw new ProtocolError(`More than ${originalLimits.maxGobDefinitions} type definitions`, start);
    const kept = this.#definitions.length;
    const size = kept + message.end - start;
    if (size > originalLimits.maxGobDefinitionBytes)
      throw new ProtocolError(
        `${size} bytes of type definitions, at most ${originalLimits.maxGobDefinitionBytes} allowed,`,
        start,
      );
    const fields = readDefinition(message, id);
    checkEnd(message, "type definition");
    const definitions = new Uint8Array(size);
    definitions.set(this.#definitions);
    definitions.set(message.bytes.subarray(start, message.end), kept);
    this.#definitions = definitions;
    this.#types.set(id, fields);
  }
}

/** Moves past a gob message and returns a reader of its body. */
function nextMessage(reader: ByteReader): ByteReader {
  const start = reader.position;
  const count = readUint(reader);
  const left = reader.end - reader.position;
  if (count > left)
    throw new ProtocolError(`Gob message of ${count} bytes, ${left} left in its WebSocket message,`, start);
  if (count === 0) throw new ProtocolError("Empty gob message", start);
  const bodyStart = reader.take(count);
  return new ByteReader(reader.bytes, bodyStart, reader.position);
}

function checkEnd({ position, end }: ByteReader, what: string): void {
  if (position !== end) throw new ProtocolError(`Trailing bytes after a ${what}: ${end - position}`, position);
}

function readUint(reader: ByteReader): number {
  const start = reader.position;
  const first = reader.u8();
  if (first < 0x80) return first;
  const count = 0x100 - first;
  if (count > 8) throw new ProtocolError(`Number of ${count} bytes, at most 8 allowed,`, start);
  let value = 0;
  for (const byte of reader.slice(count)) value = value * 0x100 + byte;
  if (value > Number.MAX_SAFE_INTEGER) throw new ProtocolError("Number past 2^53 - 1", start);
  return value;
}

/** The id of a type. It is negative if the type's definition follows. */
function readTypeId(reader: ByteReader): number {
  const start = reader.position;
  const doubled = readUint(reader);
  const half = Math.floor(doubled / 2);
  const id = doubled % 2 === 0 ? half : -half - 1;
  if (Math.abs(id) > maxTypeId) throw new ProtocolError("Type id past 2^31 - 1", start);
  return id;
}

function readBytes(reader: ByteReader): Uint8Array {
  return reader.slice(readUint(reader));
}

function readText(reader: ByteReader): string {
  const start = reader.position;
  return decodeText(readBytes(reader), start);
}

/** The number of the next field of a struct of `count` fields, or 0 at its end. The number always grows. */
function nextField(reader: ByteReader, previous: number, count: number): number {
  const start = reader.position;
  const step = readUint(reader);
  if (step === 0) return 0;
  if (step > count - previous) throw new ProtocolError(`Field ${previous + step} of a struct of ${count}`, start);
  return previous + step;
}

function readValue(reader: ByteReader, fields: readonly Field[]): Message {
  const message = { meta: 0, otherClient: "", connectionId: "", data: noBytes as Uint8Array };
  for (let at = nextField(reader, 0, fields.length); at !== 0; at = nextField(reader, at, fields.length)) {
    const field = fields[at - 1];
    if (field === "meta") message.meta = readMeta(reader);
    else if (field === "data") message.data = readBytes(reader);
    else if (field !== undefined) message[field] = readText(reader);
  }
  return message;
}

function readMeta(reader: ByteReader): number {
  const start = reader.position;
  const meta = readUint(reader);
  if (meta > maxMeta) throw new ProtocolError(`Meta of ${meta}, at most ${maxMeta} allowed,`, start);
  return meta;
}

/** Reads the definition of a type and returns its fields in their order. */
function readDefinition(reader: ByteReader, id: number): Field[] {
  const start = reader.position;
  const kind = nextField(reader, 0, wireTypes.length);
  if (kind === 0) throw new ProtocolError("Definition of no type", start);
  if (kind !== structWireType)
    throw new ProtocolError(
      `Definition of a type of kind ${wireTypes[kind - 1]}, where only structs are understood,`,
      start,
    );
  const fields: Field[] = [];
  let ownId = 0;
  for (let at = nextField(reader, 0, 2); at !== 0; at = nextField(reader, at, 2)) {
    if (at === 1) ownId = readNameAndId(reader).id;
    else readFields(reader, id, fields);
  }
  if (ownId !== id) throw new ProtocolError(`Definition of type ${id} that calls itself ${ownId}`, start);
  const missing = structFields.find(({ field }) => !fields.includes(field));
  if (missing !== undefined) throw new ProtocolError(`Definition without the field ${missing.name}`, start);
  const end = reader.position;
  if (nextField(reader, kind, wireTypes.length) !== 0)
    throw new ProtocolError("Definition of a struct and of something else", end);
  return fields;
}

/** Stops at the first field that is unknown or repeated, so the work is bounded whatever the count says. */
function readFields(reader: ByteReader, ownId: number, fields: Field[]): void {
  const count = readUint(reader);
  for (let at = 1; at <= count; at++) {
    const start = reader.position;
    const { name, id } = readNameAndId(reader);
    const known = structFields.find((field) => field.name === name);
    if (known === undefined) {
      const names = structFields.map((field) => field.name).join(", ");
      throw new ProtocolError(`Field ${at} of the definition is none of ${names},`, start);
    }
    if (fields.includes(known.field)) throw new ProtocolError(`Field ${known.name} twice`, start);
    if (id === ownId) throw new ProtocolError(`Field ${known.name} of the type that it is in`, start);
    if (id !== builtin[known.kind])
      throw new ProtocolError(`Field ${known.name} of type ${id}, not ${builtin[known.kind]} (${known.kind}),`, start);
    fields.push(known.field);
  }
}

function readNameAndId(reader: ByteReader): { name: string; id: number } {
  let name = "";
  let id = 0;
  for (let at = nextField(reader, 0, 2); at !== 0; at = nextField(reader, at, 2)) {
    if (at === 1) name = readText(reader);
    else id = readTypeId(reader);
  }
  return { name, id };
}
