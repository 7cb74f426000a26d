import { Encoder } from "@msgpack/msgpack";
import { ByteReader } from "../bytes.ts";
import { peerPlanOfType, planOfKind, routerPlanOfType } from "../codec.ts";
import {
  type ControlFrame,
  type DataFrame,
  dataFlags,
  type FieldKind,
  ignorableBit,
  type PeerFrame,
  peerFrames,
  type RouterFrame,
} from "../frames.ts";
import { subprotocols } from "../handshake.ts";
import { fromHex } from "../hex.ts";
import { ProtocolError } from "../protocol-error.ts";
import type { SegmentFormat } from "./format.ts";
import { PlannedReader } from "./planned-reader.ts";
import { readValue, type Value } from "./msgpack-reader.ts";
import { checkCount, unsigned, validData, validFrame } from "./validate.ts";

const encoder = new Encoder();

/**
 * `mp.v1.msgpack`: each frame is a MessagePack array of its type and its fields, in the order of `frames.ts`. An `id` and a
 * `rest` are bin, a `map` is a map of strings. A data frame's offset precedes its payload if `flags` says so.
 */
export const msgpack: SegmentFormat = {
  subprotocol: subprotocols.msgpack,
  addressing: "address",
  encode: (frame) => encoder.encode(frame.kind === "data" ? elementsOfData(frame) : elementsOf(frame)),
  routerFrames: (bytes, start, end) =>
    new MsgpackReader<RouterFrame>(new ByteReader(bytes, start, end), routerPlanOfType, "router"),
  peerFrames: (bytes, start, end) =>
    new MsgpackReader<PeerFrame>(new ByteReader(bytes, start, end), peerPlanOfType, "peer"),
};

/** A value for the library to encode. */
type Element = number | string | Uint8Array | readonly string[] | Readonly<Record<string, string>>;

function elementsOf(frame: ControlFrame): readonly Element[] {
  const plan = planOfKind.get(frame.kind);
  if (plan === undefined) throw new TypeError(`Cannot encode a frame of kind "${frame.kind}"`);
  // The frame's type and the plan come from the same table, so the fields have the plan's kinds.
  const fields = plan.fields.map(({ field, kind }) => elementOf(kind, frame[field as keyof typeof frame] as never));
  return [plan.type, ...fields];
}

function elementOf(kind: FieldKind, value: never): Element {
  switch (kind) {
    case "id":
      return fromHex(value);
    case "text":
      return wellFormed(value);
    case "texts":
      return (value as readonly string[]).map(wellFormed);
    case "map":
      return Object.fromEntries(Object.entries<string>(value).map((entry) => entry.map(wellFormed)));
    default:
      return value;
  }
}

/** Replaces halves of surrogate pairs, which the library would encode as invalid UTF-8. */
function wellFormed(text: string): string {
  return text.toWellFormed();
}

function elementsOfData({ connection, last, text, offset, payload }: DataFrame): readonly Element[] {
  const flags = (last ? dataFlags.last : 0) | (text ? dataFlags.text : 0);
  const { type } = peerFrames.data;
  if (offset === undefined) return [type, connection, flags, payload];
  return [type, connection, flags | dataFlags.offset, offset, payload];
}

class MsgpackReader<Frame> extends PlannedReader<Frame> {
  override next(): Frame | undefined {
    while (this.reader.position < this.reader.end) {
      const start = this.reader.position;
      const value = readValue(this.reader);
      if (!Array.isArray(value)) throw new ProtocolError("Frame that is not an array", start);
      const [first, ...fields] = value as readonly Value[];
      const type = unsigned(first, 0xff, start);
      const plan = this.plans.get(type & ~ignorableBit);
      // The plans are those of this reader's frames.
      if (plan !== undefined)
        return (plan.kind === "data" ? dataOf(fields, start) : validFrame(plan, fields, start)) as Frame;
      if ((type & ignorableBit) === 0)
        throw new ProtocolError(`Type 0x${type.toString(16)} is not a ${this.range} frame`, start);
    }
    return undefined;
  }
}

function dataOf(fields: readonly Value[], at: number): DataFrame {
  const flags = unsigned(fields[1], 0xff, at);
  if (flags > 7) throw new ProtocolError(`Unknown data flags ${flags}`, at);
  const carriesOffset = (flags & dataFlags.offset) !== 0;
  checkCount("data", fields.length, carriesOffset ? 4 : 3, at);
  return validData(
    {
      connection: fields[0],
      last: (flags & dataFlags.last) !== 0,
      text: (flags & dataFlags.text) !== 0,
      offset: carriesOffset ? fields[2] : undefined,
      payload: fields.at(-1),
    },
    at,
  );
}
