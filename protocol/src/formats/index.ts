import type { SegmentFormat } from "./format.ts";
import { json } from "./json.ts";
import { msgpack } from "./msgpack.ts";
import type { NamedFormat } from "./named.ts";
import { native } from "./native.ts";
import { formats as originalFormats } from "../original/index.ts";
import { protobuf } from "./protobuf.ts";

export type Format = SegmentFormat | NamedFormat;

/** All formats of the router. */
export const formats: readonly Format[] = [native, json, msgpack, protobuf, ...originalFormats];

/** The format with this WebSocket subprotocol, or `undefined` if there is none. */
export function formatOf(subprotocol: string): Format | undefined {
  return formats.find((format) => format.subprotocol === subprotocol);
}

export type { FrameReader, SegmentFormat } from "./format.ts";
export {
  accepts,
  byteLength,
  creditToken,
  type NamedFormat,
  type Said,
  type Speaker,
  uncountedOffset,
  type WireMessage,
} from "./named.ts";
export { json, msgpack, native, protobuf };
export { errorCodeNamed } from "../codes.ts";
export { pieces } from "./pieces.ts";
