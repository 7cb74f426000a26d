import { limits } from "./limits.ts";
import { ProtocolError } from "./protocol-error.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A big-endian number. Without a DataView: to make one takes longer than to read the few numbers of a small batch. */
export function u32At(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0
  );
}

/** Reads big-endian fields out of a range of bytes. Every read checks the range first. */
export class ByteReader {
  readonly bytes: Uint8Array;
  position: number;
  readonly end: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
  }

  /** Moves past `count` bytes and returns where they begin. @throws ProtocolError if they aren't there. */
  take(count: number): number {
    const start = this.position;
    if (count > this.end - start)
      throw new ProtocolError(`Truncated: ${count} bytes expected, ${this.end - start} left`, start);
    this.position = start + count;
    return start;
  }

  u8(): number {
    return this.bytes[this.take(1)] ?? 0;
  }

  u16(): number {
    const start = this.take(2);
    return ((this.bytes[start] ?? 0) << 8) | (this.bytes[start + 1] ?? 0);
  }

  u32(): number {
    return u32At(this.bytes, this.take(4));
  }

  u64(): number {
    const start = this.take(8);
    const value = u32At(this.bytes, start) * 0x1_0000_0000 + u32At(this.bytes, start + 4);
    if (value > limits.maxOffset) throw new ProtocolError("Offset past 2^53 - 1", start);
    return value;
  }

  slice(count: number): Uint8Array {
    const start = this.take(count);
    return this.bytes.subarray(start, start + count);
  }

  /** 16 bytes as 32 hexadecimal digits. */
  id(): string {
    let digits = "";
    for (const byte of this.slice(16)) digits += byte.toString(16).padStart(2, "0");
    return digits;
  }

  text(maxBytes: number): string {
    const start = this.position;
    const count = this.u16();
    if (count > maxBytes) throw new ProtocolError(`Text of ${count} bytes, at most ${maxBytes} allowed,`, start);
    return decodeText(this.slice(count), start);
  }
}

/** UTF-8 to a string. @throws ProtocolError for anything that isn't UTF-8; `offset` says where it stands. */
export function decodeText(bytes: Uint8Array, offset: number): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new ProtocolError("Text is not UTF-8", offset);
  }
}

/** Appends big-endian fields to bytes that grow as needed. */
export class ByteWriter {
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  /** Makes room and returns where it begins. It may replace bytes and view, so nothing may hold them across the call. */
  #grow(count: number): number {
    const start = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) {
      const bytes = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2));
      bytes.set(this.#bytes);
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer);
    }
    return start;
  }

  u8(value: number): void {
    const start = this.#grow(1);
    this.#view.setUint8(start, value);
  }

  u16(value: number): void {
    const start = this.#grow(2);
    this.#view.setUint16(start, value);
  }

  u32(value: number): void {
    const start = this.#grow(4);
    this.#view.setUint32(start, value);
  }

  u64(value: number): void {
    const start = this.#grow(8);
    this.#view.setUint32(start, Math.floor(value / 0x1_0000_0000));
    this.#view.setUint32(start + 4, value >>> 0);
  }

  raw(bytes: Uint8Array): void {
    const start = this.#grow(bytes.length);
    this.#bytes.set(bytes, start);
  }

  text(value: string): void {
    const bytes = encoder.encode(value);
    this.u16(bytes.length);
    this.raw(bytes);
  }

  /** 32 hexadecimal digits as 16 bytes. */
  id(digits: string): void {
    for (let at = 0; at < 32; at += 2) this.u8(Number.parseInt(digits.slice(at, at + 2), 16));
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }
}
