import { isDeepStrictEqual } from "node:util";
import {
  type ControlFrame,
  type DataFrame,
  ProtocolError,
  routerAddress,
  SegmentReader,
} from "@messagepasser/protocol";
import type { Format, NamedFormat, SegmentFormat, WireMessage } from "@messagepasser/protocol/formats";
import { writtenBy } from "./rewrite.ts";

type Frame = ControlFrame | DataFrame;

/**
 * Gives a message to a format's decoder: what it takes has to be the same once written and read again.
 *
 * @throws ProtocolError where it refuses the message, and another Error where it is wrong.
 */
export function decode(format: Format, message: WireMessage, self: string): void {
  if (format.addressing === "address") decodeBatch(format, message);
  else decodeNamed(format, message, self);
}

function decodeBatch(format: SegmentFormat, message: WireMessage): void {
  if (typeof message === "string") return;
  const batch = message.slice();
  const segments = new SegmentReader(batch);
  try {
    while (segments.next()) {
      for (const frame of framesAt(format, batch, segments)) {
        const bytes = format.encode(frame);
        const again = framesAt(format, bytes, { address: segments.address, start: 0, end: bytes.length });
        if (!isDeepStrictEqual(again, [frame]))
          throw new Error(`Frame "${frame.kind}" is not the same once it is written`);
      }
    }
  } catch (error) {
    if (error instanceof ProtocolError && !((error.offset ?? 0) >= 0 && (error.offset ?? 0) <= message.length))
      throw new Error(`A fault that is said to be outside of the message: ${error.message}`);
    throw error;
  }
}

function framesAt(
  format: SegmentFormat,
  bytes: Uint8Array,
  { address, start, end }: Pick<SegmentReader, "address" | "start" | "end">,
): Frame[] {
  const reader =
    address === routerAddress ? format.routerFrames(bytes, start, end) : format.peerFrames(bytes, start, end);
  const frames: Frame[] = [];
  for (let frame = reader.next(); frame !== undefined; frame = reader.next()) frames.push(frame);
  return frames;
}

function decodeNamed(format: NamedFormat, message: WireMessage, self: string): void {
  for (const said of format.decode(message, { name: self, formatMemory: new Uint8Array() })) {
    // A close is written as one by the original, of which the rest follows.
    if (format.subprotocol !== "mp.v1.json" && said.to === "peer" && said.frame.kind === "fin") continue;
    if (said.to === "itself") continue;
    const again = [...format.decode(writtenBy(format, said, self), { name: self, formatMemory: new Uint8Array() })];
    if (!isDeepStrictEqual(again[0], said))
      throw new Error(`What is said to "${said.to}" is not the same once it is written`);
  }
}
