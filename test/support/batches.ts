// Batches that tests send, written without the code that they test.
import {
  anySession,
  type ControlFrame,
  type DataFrame,
  encodeFrame,
  routerAddress,
  type RouterFrame,
  segmentHeaderBytes,
} from "@messagepasser/protocol";

/** A batch of segments, each an address and the bytes in it. */
export function batchOf(...segments: readonly (readonly [address: number, bytes: Uint8Array])[]): Uint8Array {
  const batch = new Uint8Array(segments.reduce((sum, [, bytes]) => sum + segmentHeaderBytes + bytes.length, 0));
  const view = new DataView(batch.buffer);
  let at = 0;
  for (const [address, bytes] of segments) {
    view.setUint32(at, address);
    view.setUint32(at + 4, bytes.length);
    batch.set(bytes, at + segmentHeaderBytes);
    at += segmentHeaderBytes + bytes.length;
  }
  return batch;
}

/** A batch of one segment. */
export function segment(address: number, bytes: Uint8Array): Uint8Array {
  return batchOf([address, bytes]);
}

/** Native frames one after the other, as in a segment. */
export function framesOf(...frames: readonly ControlFrame[]): Uint8Array {
  const encoded = frames.map(encodeFrame);
  const bytes = new Uint8Array(encoded.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const frame of encoded) {
    bytes.set(frame, at);
    at += frame.length;
  }
  return bytes;
}

/** A batch for the router itself, with all frames in one segment. */
export function toRouter(...frames: readonly ControlFrame[]): Uint8Array {
  return segment(routerAddress, framesOf(...frames));
}

type Open = Extract<RouterFrame, { kind: "open" }>;

export function openTo(peer: string, fields: Partial<Open> = {}): Open {
  return {
    kind: "open",
    connection: 1,
    address: routerAddress,
    session: anySession,
    peer,
    protocol: "test",
    limit: 1_000,
    metadata: {},
    flags: 0,
    first: new Uint8Array(),
    ...fields,
  };
}

/** A whole message of bytes. */
export function dataFrame(connection: number, offset: number, payload: Uint8Array): DataFrame {
  return { kind: "data", connection, last: true, text: false, offset, payload };
}
