// Frames as the bytes and messages of each format.
import {
  type ControlFrame,
  type DataFrame,
  limits,
  ProtocolError,
  routerAddress,
  type RouterFrame,
  routerLimits,
  segmentHeaderBytes,
  setU32,
} from "@messagepasser/protocol";
import { type Format, type FrameReader, type SegmentFormat, type WireMessage } from "@messagepasser/protocol/formats";
import type { Closing } from "./closings.ts";

type Frame = ControlFrame | DataFrame;

/** The client that a message is written for. */
interface Recipient {
  readonly format: Format;
  readonly name: string;
}

/** Frames of the router, written in the recipient's format. */
export function routerMessages({ format, name }: Recipient, frames: readonly RouterFrame[]): readonly WireMessage[] {
  if (format.addressing === "name") return format.encodeRouter(frames, name);
  return batchesOf(format, routerAddress, frames);
}

/** The last messages of a link: they say why it closes. */
export function closingMessages(format: Format, closing: Closing): readonly WireMessage[] {
  return routerMessages({ format, name: "" }, [{ kind: "closing", ...closing }]);
}

/** A batch of one segment with these frames. */
export function batchOf(format: SegmentFormat, address: number, frames: readonly Frame[]): Uint8Array {
  return segmentOf(address, frames.map(format.encode));
}

/** Batches of one segment each that hold these frames: as few batches as `maxBatchBytes` allows. */
export function batchesOf(format: SegmentFormat, address: number, frames: readonly Frame[]): Uint8Array[] {
  const batches: Uint8Array[] = [];
  let encoded: Uint8Array[] = [];
  let length: number = segmentHeaderBytes;
  for (const frame of frames) {
    const bytes = format.encode(frame);
    if (encoded.length > 0 && length + bytes.length > limits.maxBatchBytes) {
      batches.push(segmentOf(address, encoded));
      encoded = [];
      length = segmentHeaderBytes;
    }
    encoded.push(bytes);
    length += bytes.length;
  }
  if (encoded.length > 0) batches.push(segmentOf(address, encoded));
  return batches;
}

/** All frames of a reader. @throws ProtocolError for more frames than the router rewrites, and for any that it can't read */
export function framesIn<Read>(reader: FrameReader<Read>): Read[] {
  const frames: Read[] = [];
  for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
    if (frames.length === routerLimits.maxRewrittenFrames)
      throw new ProtocolError(`More than ${routerLimits.maxRewrittenFrames} frames`);
    frames.push(frame);
  }
  return frames;
}

function segmentOf(address: number, encoded: readonly Uint8Array[]): Uint8Array {
  const batch = joined(encoded, segmentHeaderBytes);
  setU32(batch, 0, address);
  setU32(batch, 4, batch.length - segmentHeaderBytes);
  return batch;
}

/** A copy of the parts as one array. @param headerBytes room before them. Default: 0 */
export function joined(parts: readonly Uint8Array[], headerBytes = 0): Uint8Array {
  let length = headerBytes;
  for (const part of parts) length += part.length;
  const bytes = new Uint8Array(length);
  let at = headerBytes;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
