import { create, type DescMessage, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { ByteReader } from "../bytes.ts";
import { type FramePlan, peerPlanOfType, planOfKind, routerPlanOfType } from "../codec.ts";
import {
  type ControlFrame,
  type DataFrame,
  type FieldKind,
  ignorableBit,
  type PeerFrame,
  type RouterFrame,
} from "../frames.ts";
import { subprotocols } from "../handshake.ts";
import { fromHex } from "../hex.ts";
import { ProtocolError } from "../protocol-error.ts";
import type { SegmentFormat } from "./format.ts";
import { PlannedReader } from "./planned-reader.ts";
import { FrameSchema, FramesSchema } from "./frames_pb.ts";
import { readDelimited, readTag, scan, type Shape, shapeOf, wireTypes } from "./protobuf-scan.ts";
import { type LooseData, validData, validFrame } from "./validate.ts";

/**
 * `mp.v1.protobuf`: a segment is a message `Frames` of `frames.proto`. A frame is encoded as a `Frames` with only this
 * frame. Such encodings, joined, are the encoding of all the frames.
 */
export const protobuf: SegmentFormat = {
  subprotocol: subprotocols.protobuf,
  addressing: "address",
  encode: (frame) => toBinary(FramesSchema, create(FramesSchema, { frames: [{ kind: messageOf(frame) }] })),
  routerFrames: (bytes, start, end) =>
    new ProtobufReader<RouterFrame>(new ByteReader(bytes, start, end), routerPlanOfType, "router"),
  peerFrames: (bytes, start, end) =>
    new ProtobufReader<PeerFrame>(new ByteReader(bytes, start, end), peerPlanOfType, "peer"),
};

type Kind = NonNullable<MessageInitShape<typeof FrameSchema>["kind"]>;

function messageOf(frame: ControlFrame | DataFrame): Kind {
  const value = frame.kind === "data" ? dataMessage(frame) : controlMessage(frame);
  // The schema's messages have the names and fields of the tables; a test compares the two.
  return { case: frame.kind, value } as Kind;
}

function controlMessage(frame: ControlFrame): object {
  const plan = planOfKind.get(frame.kind);
  if (plan === undefined) throw new TypeError(`Cannot encode a frame of kind "${frame.kind}"`);
  // The frame's type and the plan come from the same table, so the fields have the plan's kinds.
  return Object.fromEntries(
    plan.fields.map(({ field, kind }) => [field, valueOf(kind, frame[field as keyof typeof frame] as never)]),
  );
}

function valueOf(kind: FieldKind, value: never): unknown {
  if (kind === "id") return fromHex(value);
  return kind === "u64" ? BigInt(value) : value;
}

function dataMessage({ connection, last, text, offset, payload }: DataFrame): object {
  return { connection, last, text, payload, ...(offset === undefined ? {} : { offset: BigInt(offset) }) };
}

/** What it takes to read one kind of frame. */
interface MessagePlan {
  readonly schema: DescMessage;
  readonly shape: Shape;
}

const messageOfType: ReadonlyMap<number, MessagePlan> = new Map(
  FrameSchema.fields.flatMap(({ number, message }) =>
    message === undefined ? [] : [[number, { schema: message, shape: shapeOf(message) }]],
  ),
);

/** Reads one frame of a `Frames` after the other, so that the frames before a fault are valid. */
class ProtobufReader<Frame> extends PlannedReader<Frame> {
  override next(): Frame | undefined {
    while (this.reader.position < this.reader.end) {
      const start = this.reader.position;
      const frame = readField(this.reader);
      if (frame.number !== 1) throw new ProtocolError(`Unknown field ${frame.number}`, start);
      if (frame.content.position === frame.content.end) throw new ProtocolError("Frame without a kind", start);
      const { number, content } = readField(frame.content);
      if (frame.content.position !== frame.content.end) throw new ProtocolError("Frame of more than one kind", start);
      const [plan, message] = [this.plans.get(number), messageOfType.get(number)];
      // The plans are those of this reader's frames.
      if (plan !== undefined && message !== undefined) return frameOf(plan, message, content, start) as Frame;
      if (number < ignorableBit)
        throw new ProtocolError(`Type 0x${number.toString(16)} is not a ${this.range} frame`, start);
    }
    return undefined;
  }
}

/** Reads a field that is a message. `Frames` and `Frame` have no other fields. */
function readField(reader: ByteReader): { number: number; content: ByteReader } {
  const start = reader.position;
  const { number, wireType } = readTag(reader);
  if (wireType !== wireTypes.delimited)
    throw new ProtocolError(`Field ${number} of wire type ${wireType}, ${wireTypes.delimited} expected,`, start);
  return { number, content: readDelimited(reader) };
}

function frameOf(plan: FramePlan, { schema, shape }: MessagePlan, content: ByteReader, at: number): object {
  const bytes = content.bytes.subarray(content.position, content.end);
  const entries = scan(content, shape);
  const message = decoded(schema, bytes, at);
  // The schema gives `data` these fields. Their values are checked.
  if (plan.kind === "data") return validData(message as unknown as LooseData, at);
  const values = plan.fields.map(({ field, kind }) =>
    kind === "map" ? mapOf(message[field] as Record<string, string>, entries, at) : message[field],
  );
  return validFrame(plan, values, at);
}

function decoded(schema: DescMessage, bytes: Uint8Array, at: number): Readonly<Record<string, unknown>> {
  try {
    return { ...fromBinary(schema, bytes) };
  } catch {
    // The scan has refused everything else that the library refuses.
    throw new ProtocolError("Text is not UTF-8", at);
  }
}

function mapOf(record: Readonly<Record<string, string>>, entries: number, at: number): ReadonlyMap<string, string> {
  const map = new Map(Object.entries(record));
  if (map.size !== entries) throw new ProtocolError("Map with a key twice", at);
  return map;
}
