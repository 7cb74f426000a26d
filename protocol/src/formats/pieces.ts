import type { DataFrame, PeerFrame } from "../frames.ts";
import { limits } from "../limits.ts";
import { characterBefore } from "../utf8.ts";

/**
 * Splits payloads that are larger than a data frame's, text only between two characters. Each piece of a counted half gets
 * its offset, so that any piece may come first in a segment.
 */
export function pieces(frames: readonly PeerFrame[]): PeerFrame[] {
  /** The offset of the next data frame of each Connection whose sender counts. */
  const offsets = new Map<number, number>();
  return frames.flatMap((frame): PeerFrame | readonly PeerFrame[] => {
    if (frame.kind !== "data") return frame;
    const start = frame.offset ?? offsets.get(frame.connection);
    const split = piecesOf({ ...frame, offset: start });
    const last = split.at(-1);
    if (last?.offset !== undefined)
      offsets.set(frame.connection, last.offset + last.payload.length + limits.frameCostBytes);
    return split;
  });
}

function piecesOf(frame: DataFrame): DataFrame[] {
  const { payload, text } = frame;
  if (payload.length <= limits.maxPayloadBytes) return [frame];
  const split: DataFrame[] = [];
  let { offset } = frame;
  for (let at = 0; at < payload.length;) {
    const end = Math.min(
      payload.length,
      text ? characterBefore(payload, at, at + limits.maxPayloadBytes) : at + limits.maxPayloadBytes,
    );
    split.push({ ...frame, offset, last: frame.last && end === payload.length, payload: payload.subarray(at, end) });
    if (offset !== undefined) offset += end - at + limits.frameCostBytes;
    at = end;
  }
  return split;
}
