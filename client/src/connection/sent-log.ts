import { limits, setU32, u32At } from "@messagepasser/protocol";

/** A frame as the log gives it back. `flags` is `undefined` for the FIN. */
export interface LoggedFrame {
  readonly flags: number | undefined;
  readonly offset: number;
  /** A view on the log. */
  readonly payload: Uint8Array;
}

interface Block {
  readonly bytes: Uint8Array;
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
 * Blocks of the largest size and of the smallest that no log of this program needs any more, or collecting them would take
 * a third of a busy sender's time, and making them a tenth of an opener's. As many are worth keeping as one acknowledgement
 * frees.
 */
const spares = new Map<number, Block[]>([
  [smallestBlockBytes, []],
  [largestBlockBytes, []],
]);
const maxSpares = 64;

/**
 * The unacknowledged frames of a Connection. After a link is lost, the sender resends from here what the other end lacks.
 * Frames stand one after the other in blocks, so that a million small ones don't become a million objects.
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
    setU32(block.bytes, block.length, ((flags ?? finMark) << 24) | payload.length);
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
      const payloadBytes = u32At(block.bytes, head) & 0xff_ffff;
      head += headerBytes + payloadBytes;
      at += payloadBytes + limits.frameCostBytes;
    }
    if (at !== offset) return false;
    this.#acknowledged = offset;
    const kept = offset === this.#end ? undefined : block;
    if (kept === undefined) this.#last = undefined;
    else kept.head = head;
    this.#freeUntil(kept);
    // It may stand in a block that is free now.
    if (this.#cursorOffset <= offset) this.rewind();
    return true;
  }

  #freeUntil(kept: Block | undefined): void {
    let block = this.#first;
    this.#first = kept;
    while (block !== undefined && block !== kept) {
      const { next } = block;
      const same = spares.get(block.bytes.length);
      if (same !== undefined && same.length < maxSpares) same.push(block);
      block = next;
    }
  }

  /** Makes `next` begin again at the first frame that is not acknowledged. */
  rewind(): void {
    this.#cursor = this.#first;
    this.#cursorAt = this.#first?.head ?? 0;
    this.#cursorOffset = this.#acknowledged;
  }

  /** The next frame after `rewind`; `undefined` after the last. */
  next(): LoggedFrame | undefined {
    let block = this.#cursor;
    while (block !== undefined && this.#cursorAt === block.length) {
      block = this.#cursor = block.next;
      this.#cursorAt = block?.head ?? 0;
    }
    if (block === undefined) return undefined;
    const header = u32At(block.bytes, this.#cursorAt);
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
    const block = this.#newBlock(Math.max(wanted, count));
    if (last === undefined) this.#first = block;
    else last.next = block;
    this.#last = block;
    return block;
  }

  #newBlock(count: number): Block {
    const spare = spares.get(count)?.pop();
    if (spare === undefined) return { bytes: new Uint8Array(count), head: 0, length: 0, next: undefined };
    spare.head = spare.length = 0;
    spare.next = undefined;
    return spare;
  }
}
