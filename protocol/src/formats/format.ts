import type { ControlFrame, DataFrame, PeerFrame, RouterFrame } from "../frames.ts";

/** Reads one frame after the other. */
export interface FrameReader<Frame> {
  /** The next frame, or `undefined` at the end. @throws ProtocolError */
  next(): Frame | undefined;
}

/** The same for frames from a client to the router. */
export interface RouterFrameSource extends FrameReader<RouterFrame> {
  /** Where the next frame begins, in bytes from the start of the whole message. */
  readonly position: number;
}

/**
 * A format whose WebSocket messages are batches of segments, as in `batch.ts`. Only the frames in a segment have an encoding
 * of their own. So the router forwards segments between two links of the same format without reading their frames.
 */
export interface SegmentFormat {
  /** The WebSocket subprotocol by which a client asks for it. */
  readonly subprotocol: string;
  readonly addressing: "address";
  /** One frame as bytes. The frames of a segment stand one after the other. */
  encode(frame: ControlFrame | DataFrame): Uint8Array;
  /** Reads the frames of a segment between a client and the router. */
  routerFrames(bytes: Uint8Array, start: number, end: number): RouterFrameSource;
  /** Reads the frames of a segment between two ends. */
  peerFrames(bytes: Uint8Array, start: number, end: number): FrameReader<PeerFrame>;
}
