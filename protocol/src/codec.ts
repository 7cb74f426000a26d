import { ByteReader, ByteWriter, setU32 } from "./bytes.ts";
import {
  type ControlFrame,
  type DataFrame,
  dataFlags,
  type FieldKind,
  type FrameShape,
  ignorableBit,
  type PeerFrame,
  peerFrames,
  type RouterFrame,
  routerFrames,
} from "./frames.ts";
import { limits } from "./limits.ts";
import { ProtocolError } from "./protocol-error.ts";

/** Bytes of a frame's header: type u8, then the length of the body as u24. */
export const frameHeaderBytes = 4;
/** Bytes of a data frame before its payload: header, connection, flags. An offset adds 8. */
export const dataHeaderBytes = frameHeaderBytes + 5;

export interface FieldPlan {
  readonly field: string;
  readonly kind: FieldKind;
  readonly maxBytes: number;
}

export interface FramePlan {
  readonly kind: string;
  readonly type: number;
  readonly fields: readonly FieldPlan[];
}

function plansOf(table: Readonly<Record<string, FrameShape>>): FramePlan[] {
  return Object.entries(table).map(([kind, shape]) => ({
    kind,
    type: shape.type,
    fields: Object.entries(shape.fields).map(([field, spec]) =>
      typeof spec === "string" ? { field, kind: spec, maxBytes: 0 } : { field, kind: spec[0], maxBytes: spec[1] },
    ),
  }));
}

const routerPlans = plansOf(routerFrames);
const peerPlans = plansOf(peerFrames);
export const planOfKind = new Map([...routerPlans, ...peerPlans].map((plan) => [plan.kind, plan]));
export const routerPlanOfType = new Map(routerPlans.map((plan) => [plan.type, plan]));
export const peerPlanOfType = new Map(peerPlans.map((plan) => [plan.type, plan]));

/** The writer for the next frame. The memory of a new one would take longer to make than most frames take to write. */
let idleWriter: ByteWriter | undefined;

/** A frame other than data, header included, as bytes. */
export function encodeFrame(frame: ControlFrame): Uint8Array<ArrayBuffer> {
  const plan = planOfKind.get(frame.kind);
  if (plan === undefined) throw new TypeError(`Cannot encode a frame of kind "${frame.kind}"`);
  const writer = idleWriter ?? new ByteWriter();
  // A getter in a program's metadata may write a frame too.
  idleWriter = undefined;
  writer.u32(0);
  // The frame's type and the plan come from the same table, so the fields have the plan's kinds.
  for (const { field, kind } of plan.fields) encodeField(writer, kind, frame[field as keyof typeof frame] as never);
  const bytes = writer.takeCopy();
  idleWriter = writer;
  setU32(bytes, 0, (plan.type << 24) | (bytes.length - frameHeaderBytes));
  return bytes;
}

/** A data frame as bytes, by itself: what writes many at once is `BatchWriter`. */
export function encodeData({ connection, last, text, offset, payload }: DataFrame): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter();
  const fieldBytes = offset === undefined ? 5 : 13;
  writer.u32((peerFrames.data.type << 24) | (fieldBytes + payload.length));
  writer.u32(connection);
  writer.u8((last ? dataFlags.last : 0) | (text ? dataFlags.text : 0) | (offset === undefined ? 0 : dataFlags.offset));
  if (offset !== undefined) writer.u64(offset);
  writer.append(payload);
  return writer.take();
}

function encodeField(writer: ByteWriter, kind: FieldKind, value: never): void {
  switch (kind) {
    case "u8":
    case "u16":
    case "u32":
    case "u64":
    case "id":
    case "text":
      writer[kind](value);
      break;
    case "rest":
      writer.append(value);
      break;
    case "texts":
      encodeTexts(writer, value);
      break;
    case "map": {
      const entries = Object.entries<string>(value);
      writer.u16(entries.length);
      for (const entry of entries) for (const text of entry) writer.text(text);
    }
  }
}

function encodeTexts(writer: ByteWriter, texts: readonly string[]): void {
  writer.u16(texts.length);
  for (const text of texts) writer.text(text);
}

/**
 * Reads the frames of one segment that came from the router, or that a client sent to it.
 * Frames of an unknown type are skipped when they are ignorable.
 */
export class RouterFrameReader {
  readonly #reader: ByteReader;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#reader = new ByteReader(bytes, start, end);
  }

  /** Where the next frame begins. */
  get position(): number {
    return this.#reader.position;
  }

  /** The next frame, or `undefined` at the end. @throws ProtocolError */
  next(): RouterFrame | undefined {
    return nextControlFrame(this.#reader, routerPlanOfType, "router") as RouterFrame | undefined;
  }
}

/** Reads the frames of one segment between two ends. */
export class PeerFrameReader {
  readonly #reader: ByteReader;
  readonly #maxPayloadBytes: number;

  /** @param maxPayloadBytes of a data frame. Default: as the protocol says */
  constructor(bytes: Uint8Array, start = 0, end = bytes.length, maxPayloadBytes: number = limits.maxPayloadBytes) {
    this.#reader = new ByteReader(bytes, start, end);
    this.#maxPayloadBytes = maxPayloadBytes;
  }

  /** The next frame, or `undefined` at the end. @throws ProtocolError */
  next(): PeerFrame | undefined {
    const { bytes, position, end } = this.#reader;
    if (position < end && bytes[position] === peerFrames.data.type)
      return decodeData(this.#reader, this.#maxPayloadBytes);
    return nextControlFrame(this.#reader, peerPlanOfType, "peer") as PeerFrame | undefined;
  }
}

function decodeData(reader: ByteReader, maxPayloadBytes: number = limits.maxPayloadBytes): DataFrame {
  const start = reader.position;
  const bodyEnd = (reader.u32() & 0xff_ffff) + reader.position;
  if (bodyEnd > reader.end) throw new ProtocolError("Frame longer than its segment", start);
  const connection = reader.u32();
  const flags = reader.u8();
  if (flags > 7) throw new ProtocolError(`Unknown data flags ${flags}`, start + dataHeaderBytes - 1);
  const offset = (flags & dataFlags.offset) === 0 ? undefined : reader.u64();
  const payloadBytes = bodyEnd - reader.position;
  if (payloadBytes < 0) throw new ProtocolError("Frame shorter than its fields", start);
  if (payloadBytes > maxPayloadBytes)
    throw new ProtocolError(`Payload of ${payloadBytes} bytes, at most ${maxPayloadBytes} allowed,`, start);
  const payload = reader.slice(payloadBytes);
  return {
    kind: "data",
    connection,
    last: (flags & dataFlags.last) !== 0,
    text: (flags & dataFlags.text) !== 0,
    offset,
    payload,
  };
}

function nextControlFrame(
  reader: ByteReader,
  plans: ReadonlyMap<number, FramePlan>,
  range: string,
): object | undefined {
  while (reader.position < reader.end) {
    const start = reader.position;
    const header = reader.u32();
    const type = header >>> 24;
    const bodyStart = reader.take(header & 0xff_ffff);
    const plan = plans.get(type & ~ignorableBit);
    if (plan?.kind === "data") {
      // Here by way of a skipped frame, or with the ignorable bit set.
      reader.position = start;
      return decodeData(reader);
    }
    if (plan !== undefined) return decodeBody(plan, reader.bytes, bodyStart, reader.position);
    if ((type & ignorableBit) === 0)
      throw new ProtocolError(`Type 0x${type.toString(16)} is not a ${range} frame`, start);
  }
  return undefined;
}

function decodeBody(plan: FramePlan, bytes: Uint8Array, start: number, end: number): object {
  const reader = new ByteReader(bytes, start, end);
  const frame: Record<string, unknown> = { kind: plan.kind };
  for (const { field, kind, maxBytes } of plan.fields) frame[field] = decodeField(reader, kind, maxBytes);
  if (reader.position !== end)
    throw new ProtocolError(`Frame "${plan.kind}" is longer than its fields`, reader.position);
  return frame;
}

function decodeField(reader: ByteReader, kind: FieldKind, maxBytes: number): unknown {
  switch (kind) {
    case "u8":
    case "u16":
    case "u32":
    case "u64":
    case "id":
      return reader[kind]();
    case "text":
      return reader.text(maxBytes);
    case "rest":
      return reader.slice(reader.end - reader.position);
    case "texts":
      return decodeTexts(reader, maxBytes);
    case "map":
      return decodeMap(reader, maxBytes);
  }
}

function decodeTexts(reader: ByteReader, maxBytes: number): string[] {
  const start = reader.position;
  const count = reader.u16();
  if (count > limits.maxPageLength)
    throw new ProtocolError(`${count} texts, at most ${limits.maxPageLength} allowed,`, start);
  const texts: string[] = [];
  while (texts.length < count) texts.push(reader.text(maxBytes));
  return texts;
}

function decodeMap(reader: ByteReader, maxBytes: number): Record<string, string> {
  const start = reader.position;
  const count = reader.u16();
  if (count > limits.maxMetadataEntries)
    throw new ProtocolError(`${count} entries, at most ${limits.maxMetadataEntries} allowed,`, start);
  if (count === 0) return {};
  const entries: [string, string][] = [];
  for (let at = 0; at < count; at++) entries.push([reader.text(maxBytes), reader.text(maxBytes)]);
  if (reader.position - start - 2 - 4 * count > maxBytes)
    throw new ProtocolError(`Map of more than ${maxBytes} bytes`, start);
  // fromEntries defines own properties, so a key like "__proto__" is only a key.
  const map = Object.fromEntries(entries);
  if (Object.keys(map).length !== count) throw new ProtocolError("Map with a key twice", start);
  return map;
}
