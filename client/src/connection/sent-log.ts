import { limits } from "@messagepasser/protocol";

/** A frame as the log gives it back. `flags` is `undefined` for the FIN. */
export interface LoggedFrame {
  readonly flags: number | undefined;
  readonly offset: number;
  /** A view on the log. */
  readonly payload: Uint8Array;
}

interface Block {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Where the first frame begins that still counts. */
  head: number;
  length: number;
  next: Block | undefined;
}

const headerBytes = 4;
const finMark = 0xff;
const smallestBlockBytes = 1_024;
const largestBlockBytes = headerBytes + limits.maxPayloadBytes;

/**
 * What was sent on a Connection and is not acknowledged: after the loss of a link, what the other end lacks is sent again
 * from here. Frames stand one after the other in blocks, so that a million small ones cost no million objects.
 */
export class SentLog {
  #first: Block | undefined;
  #last: Block | undefined;
  /** Where `next` goes on. `undefined`: at the end. */
  #cursor: Block | undefined;
  #cursorAt = 0;
  #cursorOffset = 0;
  #acknowledged = 0;
  #end = 0;

  /** The offset up to which the other end has everything. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** The offset at which the next frame will stand. */
  get end(): number {
    return this.#end;
  }

  /** Keeps a copy of a frame; its flags, or `undefined` for the FIN. */
  push(flags: number | undefined, payload: Uint8Array): void {
    const block = this.#room(headerBytes + payload.length);
    block.view.setUint32(block.length, ((flags ?? finMark) << 24) | payload.length);
    block.bytes.set(payload, block.length + headerBytes);
    block.length += headerBytes + payload.length;
    this.#end += payload.length + limits.frameCostBytes;
  }

  /** Frees all below an offset; false, with nothing done, if no frame that was sent ends there. */
  acknowledge(offset: number): boolean {
    if (offset < this.#acknowledged || offset > this.#end) return false;
    let block = this.#first;
    let head = block?.head ?? 0;
    let at = this.#acknowledged;
    while (block !== undefined && at < offset) {
      if (head === block.length) {
        block = block.next;
        head = block?.head ?? 0;
        continue;
      }
      const payloadBytes = block.view.getUint32(head) & 0xff_ffff;
      head += headerBytes + payloadBytes;
      at += payloadBytes + limits.frameCostBytes;
    }
    if (at !== offset) return false;
    this.#acknowledged = offset;
    if (offset === this.#end) {
      this.#first = this.#last = undefined;
    } else if (block !== undefined) {
      block.head = head;
      this.#first = block;
    }
    return true;
  }

  /** Makes `next` begin again at the first frame that is not acknowledged. */
  rewind(): void {
    this.#cursor = this.#first;
    this.#cursorAt = this.#first?.head ?? 0;
    this.#cursorOffset = this.#acknowledged;
  }

  /** The next frame after `rewind`; `undefined` after the last. */
  next(): LoggedFrame | undefined {
    if (this.#cursorOffset < this.#acknowledged) this.rewind();
    let block = this.#cursor;
    while (block !== undefined && this.#cursorAt === block.length) {
      block = this.#cursor = block.next;
      this.#cursorAt = block?.head ?? 0;
    }
    if (block === undefined) return undefined;
    const header = block.view.getUint32(this.#cursorAt);
    const start = this.#cursorAt + headerBytes;
    const payload = block.bytes.subarray(start, start + (header & 0xff_ffff));
    const offset = this.#cursorOffset;
    this.#cursorAt = start + payload.length;
    this.#cursorOffset += payload.length + limits.frameCostBytes;
    const flags = header >>> 24;
    return { flags: flags === finMark ? undefined : flags, offset, payload };
  }

  #room(count: number): Block {
    const last = this.#last;
    if (last !== undefined && last.bytes.length - last.length >= count) return last;
    // Each block is twice the one before, so that a Connection with little under way holds little.
    const wanted = last === undefined ? smallestBlockBytes : Math.min(last.bytes.length * 2, largestBlockBytes);
    const bytes = new Uint8Array(Math.max(wanted, count));
    const block: Block = { bytes, view: new DataView(bytes.buffer), head: 0, length: 0, next: undefined };
    if (last === undefined) this.#first = block;
    else last.next = block;
    this.#last = block;
    return block;
  }
}
