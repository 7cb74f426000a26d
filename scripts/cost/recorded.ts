import recordedJson from "./measured.json" with { type: "json" };
import type { Measured } from "./model.ts";

/** Sizes that are measured for the record. */
export const recordedSizesBytes = [64, 1_024, 16_384, 262_144];

/** What `npm run cost -- --record` wrote. */
export interface Recorded {
  /** ISO 8601, a day. */
  readonly date: string;
  readonly sizes: readonly Measured[];
}

export const recorded: Recorded = recordedJson;

/** Of the sizes that were measured, the next larger one, or the largest. */
export function recordedSize(sizeBytes: number): Measured {
  const measured = recorded.sizes.find((each) => each.sizeBytes >= sizeBytes) ?? recorded.sizes.at(-1);
  if (measured === undefined) throw new Error("Nothing is recorded: npm run cost -- --record");
  return measured;
}

/** The record for a size. Batches have about as many bytes whatever is in them, so their number goes with the bytes. */
export function recordedFor(sizeBytes: number): Measured {
  const from = recordedSize(sizeBytes);
  const bytesIn = from.bytesIn + (sizeBytes - from.sizeBytes) * from.messages;
  const ratio = bytesIn / from.bytesIn;
  return {
    sizeBytes,
    messages: from.messages,
    messagesIn: Math.ceil(from.messagesIn * ratio),
    bytesIn,
    // One that is smaller takes no longer.
    elapsedMs: Math.ceil(from.elapsedMs * Math.max(1, ratio)),
    messagesInAlone: Math.ceil(from.messagesInAlone * Math.max(1, ratio)),
  };
}
