import { fromHex, toHex } from "./hex.ts";
import { limits } from "./limits.ts";
import { ProtocolError } from "./protocol-error.ts";
import { decodeText } from "./utf8.ts";

const encoder = new TextEncoder();

/** Reads a big-endian number. A DataView would take longer to make than the few numbers of a small batch take to read. */
export function u32At(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0
  );
}

/** Writes a big-endian number, also without a DataView: V8 moves a small array out of its heap to make one. */
export function setU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Reads big-endian fields from a range of bytes. Every read checks the range first. */
export class ByteReader {
  readonly bytes: Uint8Array;
  position: number;
  readonly end: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
  }

  /** Moves past `count` bytes and returns where they begin. @throws ProtocolError if fewer are left */
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
    return toHex(this.slice(16));
  }

  text(maxBytes: number): string {
    const start = this.position;
    const count = this.u16();
    if (count > maxBytes) throw new ProtocolError(`Text of ${count} bytes, at most ${maxBytes} allowed,`, start);
    return decodeText(this.slice(count), start);
  }
}

/**
 * Bytes that grow at their end. They take memory for what was appended, never for what was announced, and in one piece:
 * a thousand small parts cost no more than a large one.
 */
export class ByteBuffer {
  protected bytes: Uint8Array<ArrayBuffer>;
  #length = 0;

  constructor(capacityBytes = 0) {
    this.bytes = new Uint8Array(capacityBytes);
  }

  get length(): number {
    return this.#length;
  }

  /** The memory that is taken, which is up to twice the length. */
  get capacityBytes(): number {
    return this.bytes.length;
  }

  /** The bytes so far, until the next call. */
  get view(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(0, this.#length);
  }

  append(bytes: Uint8Array): void {
    const start = this.extend(bytes.length);
    this.bytes.set(bytes, start);
  }

  /** Gives a copy of the bytes away, and is empty again, with the same memory. */
  takeCopy(): Uint8Array<ArrayBuffer> {
    const bytes = this.bytes.slice(0, this.#length);
    this.#length = 0;
    return bytes;
  }

  /** Gives the bytes away, and is empty again. */
  take(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.bytes.buffer.transfer(this.#length));
    this.bytes = new Uint8Array();
    this.#length = 0;
    return bytes;
  }

  /** Throws the bytes away, and keeps the memory. */
  restart(): void {
    this.#length = 0;
  }

  /** Throws the bytes away, and gives their memory back without waiting for a collection of garbage. */
  clear(): void {
    this.bytes.buffer.transfer(0);
    this.bytes = new Uint8Array();
    this.#length = 0;
  }

  /** Makes room and returns where it begins. It may replace `bytes`. */
  protected extend(count: number): number {
    const start = this.#length;
    this.#length += count;
    if (this.#length > this.bytes.length)
      this.bytes = new Uint8Array(this.bytes.buffer.transfer(Math.max(this.#length, this.bytes.length * 2)));
    return start;
  }

  /** Gives back the last of the room that was made. */
  protected shorten(count: number): void {
    this.#length -= count;
  }
}

/** Appends big-endian fields. */
export class ByteWriter extends ByteBuffer {
  constructor() {
    super(256);
  }

  u8(value: number): void {
    const at = this.extend(1);
    this.bytes[at] = value;
  }

  u16(value: number): void {
    const at = this.extend(2);
    this.bytes[at] = value >>> 8;
    this.bytes[at + 1] = value;
  }

  u32(value: number): void {
    const at = this.extend(4);
    setU32(this.bytes, at, value);
  }

  u64(value: number): void {
    this.u32(Math.floor(value / 0x1_0000_0000));
    this.u32(value >>> 0);
  }

  text(value: string): void {
    // Each UTF-16 code unit takes up to three bytes. A call that makes an array takes four times as long.
    const room = 3 * value.length;
    const at = this.extend(2 + room);
    const { written } = encoder.encodeInto(value, this.bytes.subarray(at + 2, at + 2 + room));
    this.bytes[at] = written >>> 8;
    this.bytes[at + 1] = written;
    this.shorten(room - written);
  }

  /** 32 hexadecimal digits as 16 bytes. */
  id(digits: string): void {
    this.append(fromHex(digits));
  }
}
