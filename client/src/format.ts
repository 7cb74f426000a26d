import type { SegmentFormat } from "@messagepasser/protocol";

/** A way to write frames on the wire, as "messagepasser/msgpack" and "messagepasser/protobuf" export one. */
export interface Format {
  /** The WebSocket subprotocol by which the client asks the router for it. */
  readonly subprotocol: string;
}

/** What stands behind a format: only the entries of this package make one. */
export function segmentFormatOf(format: Format | undefined): SegmentFormat | undefined {
  return format as SegmentFormat | undefined;
}
