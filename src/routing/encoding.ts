import { type ControlFrame, type DataFrame, limits, ProtocolError, segmentHeaderBytes } from "@messagepasser/protocol";
import type { FrameReader, SegmentFormat } from "@messagepasser/protocol/formats";

type Frame = ControlFrame | DataFrame;

/** A batch of one segment with these frames. */
export function batchOf(format: SegmentFormat, address: number, frames: readonly Frame[]): Uint8Array {
  return segmentOf(address, frames.map(format.encode));
}

/** The same in as many batches as it takes. */
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

/** Frames one after the other, as in a segment. */
export function framesAsBytes(format: SegmentFormat, frames: readonly Frame[]): Uint8Array {
  return joined(frames.map(format.encode));
}

/**
 * Frames of a segment that have to be written anew, at most: as many as the smallest native ones that a batch can hold.
 * Stops a batch of frames of 3 bytes, as other formats have them, from becoming some hundred times as much.
 */
const maxFramesToRewrite = limits.maxBatchBytes / 8;

/** All frames that a reader gives. @throws ProtocolError */
export function framesIn<Read>(reader: FrameReader<Read>): Read[] {
  const frames: Read[] = [];
  for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
    if (frames.length === maxFramesToRewrite) throw new ProtocolError(`More than ${maxFramesToRewrite} frames`);
    frames.push(frame);
  }
  return frames;
}

function segmentOf(address: number, encoded: readonly Uint8Array[]): Uint8Array {
  const batch = joined([new Uint8Array(segmentHeaderBytes), ...encoded]);
  const view = new DataView(batch.buffer);
  view.setUint32(0, address);
  view.setUint32(4, batch.length - segmentHeaderBytes);
  return batch;
}

/** Bytes one after the other: a copy, except of what is alone. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts;
  if (first !== undefined && parts.length === 1) return first;
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
