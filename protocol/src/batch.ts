import { setU32, u32At } from "./bytes.ts";
import { dataHeaderBytes, encodeFrame } from "./codec.ts";
import type { SegmentFormat } from "./formats/format.ts";
import { type ControlFrame, dataFlags, peerFrames } from "./frames.ts";
import { limits } from "./limits.ts";
import { ProtocolError } from "./protocol-error.ts";

/** Bytes of a segment's header: address u32, then the length of its frames as u32. */
export const segmentHeaderBytes = 8;

/** The router's own address. */
export const routerAddress = 0;

/** A whole batch of one segment, with frames other than data. */
export function encodeBatch(address: number, ...frames: readonly ControlFrame[]): Uint8Array<ArrayBuffer> {
  const encoded = frames.map(encodeFrame);
  const length = encoded.reduce((sum, bytes) => sum + bytes.length, 0);
  const batch = new Uint8Array(segmentHeaderBytes + length);
  setU32(batch, 0, address);
  setU32(batch, 4, length);
  let at = segmentHeaderBytes;
  for (const bytes of encoded) {
    batch.set(bytes, at);
    at += bytes.length;
  }
  return batch;
}

/** Walks the segments of one batch without allocating: `next()` moves, the fields tell where it stands. */
export class SegmentReader {
  readonly bytes: Uint8Array;
  /** Whom the segment is for, or from whom it came. */
  address = 0;
  /** Where the segment's header begins. */
  headerStart = 0;
  /** Where its frames begin. */
  start = 0;
  /** Where its frames end. */
  end = 0;

  constructor(bytes: Uint8Array) {
    if (bytes.length > limits.maxBatchBytes) {
      throw new ProtocolError(`Batch of ${bytes.length} bytes, at most ${limits.maxBatchBytes} allowed,`, 0);
    }
    this.bytes = bytes;
  }

  /** Moves to the next segment; false at the end of the batch. @throws ProtocolError */
  next(): boolean {
    const header = this.end;
    if (header === this.bytes.length) return false;
    if (this.bytes.length - header < segmentHeaderBytes) throw new ProtocolError("Truncated segment header", header);
    const length = u32At(this.bytes, header + 4);
    if (length > this.bytes.length - header - segmentHeaderBytes)
      throw new ProtocolError("Segment longer than its batch", header);
    this.address = u32At(this.bytes, header);
    this.headerStart = header;
    this.start = header + segmentHeaderBytes;
    this.end = this.start + length;
    return true;
  }
}

/**
 * Buffers of batches that nobody needs any more, for all writers of a program, or collecting them would take a third of a
 * busy sender's time. As many are worth keeping as a sender fills in one turn of the event loop.
 */
const spares: ArrayBuffer[] = [];
const maxSpares = 32;

/** From this size on a batch is the last in its buffer. Smaller ones stand in it one after the other. */
const largeBatchBytes = limits.maxBatchBytes / 4;

/**
 * Takes back the memory of a batch that a writer has handed over. Nobody may read or write it from now on, nor any batch
 * that came from the writer before it.
 */
export function giveBack({ buffer, length }: Uint8Array<ArrayBuffer>): void {
  const isLast = length >= largeBatchBytes && buffer.byteLength === limits.maxBatchBytes;
  if (isLast && spares.length < maxSpares) spares.push(buffer);
}

/** Where data frames of a Connection go: the other client's address, and the Connection's id in frames to it. */
export interface DataTarget {
  readonly address: number;
  readonly connection: number;
}

/**
 * Gathers frames into one batch, a segment for each run of frames to the same address.
 * Every payload is copied once, into the batch.
 */
export class BatchWriter {
  readonly #emit: (batch: Uint8Array<ArrayBuffer>, isLast: boolean) => void;
  readonly #format: SegmentFormat | undefined;
  readonly #capacityBytes: number;
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  /** Where the batch begins that is being gathered, and where it ends so far. */
  #start = 0;
  #end = 0;
  #segmentStart = 0;
  #address = -1;
  /** The Connection of the segment's last data frame, -1 where there is none, and the offset of the one that would follow. */
  #dataConnection = -1;
  #dataEnd = 0;
  #segmentsInBatch = 0;
  /** The batch leaves as soon as it has this many bytes. */
  flushBytes: number = limits.flushBatchBytes;

  /**
   * @param emit takes each full batch. The bytes are its own; who calls `giveBack` in the end, where the batch is the last
   *   in its buffer, saves new memory.
   * @param format how to write frames, where not in the native one.
   * @param capacityBytes less than the default only for who knows what will be written.
   */
  constructor(
    emit: (batch: Uint8Array<ArrayBuffer>, isLast: boolean) => void,
    format?: SegmentFormat,
    capacityBytes: number = limits.maxBatchBytes,
  ) {
    this.#emit = emit;
    this.#format = format;
    this.#capacityBytes = capacityBytes;
    const buffer = new ArrayBuffer(capacityBytes);
    this.#bytes = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
  }

  /** The bytes of what is gathered. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Appends any frame but data. */
  frame(address: number, frame: ControlFrame): void {
    this.#append(address, this.#format?.encode(frame) ?? encodeFrame(frame));
  }

  #append(address: number, bytes: Uint8Array): void {
    const at = this.#reserve(address, bytes.length);
    this.#bytes.set(bytes, at);
    this.#grow(at + bytes.length);
  }

  #grow(end: number): void {
    this.#end = end;
    if (end - this.#start >= this.flushBytes) this.flush();
  }

  /**
   * Appends a data frame. The native format omits the offset where it follows from the data frame before: that of the same
   * Connection in the same segment.
   */
  data({ address, connection }: DataTarget, flags: number, offset: number, payload: Uint8Array): void {
    if (this.#format !== undefined) {
      const [last, text] = [(flags & dataFlags.last) !== 0, (flags & dataFlags.text) !== 0];
      this.#append(address, this.#format.encode({ kind: "data", connection, last, text, offset, payload }));
      return;
    }
    let at = this.#reserve(address, dataHeaderBytes + 8 + payload.length);
    const view = this.#view;
    if (connection === this.#dataConnection && offset === this.#dataEnd) {
      view.setUint32(at, (peerFrames.data.type << 24) | (5 + payload.length));
      view.setUint32(at + 4, connection);
      view.setUint8(at + 8, flags);
      at += dataHeaderBytes;
    } else {
      view.setUint32(at, (peerFrames.data.type << 24) | (13 + payload.length));
      view.setUint32(at + 4, connection);
      view.setUint8(at + 8, flags | dataFlags.offset);
      view.setUint32(at + 9, Math.floor(offset / 0x1_0000_0000));
      view.setUint32(at + 13, offset >>> 0);
      at += dataHeaderBytes + 8;
    }
    this.#dataConnection = connection;
    this.#dataEnd = offset + payload.length + limits.frameCostBytes;
    this.#bytes.set(payload, at);
    this.#grow(at + payload.length);
  }

  /** Hands over what was gathered, if anything. */
  flush(): void {
    if (this.#end === this.#start) return;
    this.#endSegment();
    const batch = this.#bytes.subarray(this.#start, this.#end);
    this.#start = this.#end;
    const isLast = batch.length >= largeBatchBytes;
    if (isLast) this.#renew();
    this.#address = -1;
    this.#segmentsInBatch = 0;
    this.#emit(batch, isLast);
  }

  /** Leaves the buffer to the batches that stand in it. */
  #renew(): void {
    const spare = this.#capacityBytes === limits.maxBatchBytes ? spares.pop() : undefined;
    const buffer = spare ?? new ArrayBuffer(this.#capacityBytes);
    this.#bytes = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
    this.#start = this.#end = 0;
  }

  /** Begins a segment where needed and returns where `count` bytes have room. */
  #reserve(address: number, count: number): number {
    const isFull = address !== this.#address && this.#segmentsInBatch === limits.maxSegments;
    if (isFull || this.#end + segmentHeaderBytes + count > this.#capacityBytes) this.flush();
    if (this.#end + segmentHeaderBytes + count > this.#capacityBytes) this.#renew();
    if (address !== this.#address) {
      this.#endSegment();
      this.#segmentStart = this.#end;
      this.#address = address;
      this.#dataConnection = -1;
      this.#segmentsInBatch++;
      this.#end += segmentHeaderBytes;
    }
    return this.#end;
  }

  #endSegment(): void {
    if (this.#address === -1) return;
    this.#view.setUint32(this.#segmentStart, this.#address);
    this.#view.setUint32(this.#segmentStart + 4, this.#end - this.#segmentStart - segmentHeaderBytes);
  }
}
