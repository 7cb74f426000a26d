import { encodeData, encodeFrame, PeerFrameReader, RouterFrameReader } from "../codec.ts";
import { subprotocols } from "../handshake.ts";
import type { SegmentFormat } from "./format.ts";

/** `mp.v1`: the fastest format, which PROTOCOL.md describes byte by byte. */
export const native: SegmentFormat = {
  subprotocol: subprotocols.native,
  addressing: "address",
  encode: (frame) => (frame.kind === "data" ? encodeData(frame) : encodeFrame(frame)),
  routerFrames: (bytes, start, end) => new RouterFrameReader(bytes, start, end),
  peerFrames: (bytes, start, end) => new PeerFrameReader(bytes, start, end),
};
