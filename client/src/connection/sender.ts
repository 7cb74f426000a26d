import { dataFlags, limits } from "@messagepasser/protocol";
import { Queue } from "../queue.ts";
import { waiting, type Waiting } from "../waiting.ts";

/** Where a sender writes its frames. */
export interface FrameSink {
  data(flags: number, offset: number, payload: Uint8Array): void;
  fin(offset: number): void;
}

interface Pending extends Waiting<void> {
  /** `undefined` for the FIN. */
  bytes: Uint8Array | undefined;
  readonly isText: boolean;
  /** How much of `bytes` is on its way. */
  sentBytes: number;
}

const encoder = new TextEncoder();
const done = Promise.resolve();

/**
 * The sending half of a Connection: splits messages into frames and never goes past the limit that the other end granted.
 * Pure: no socket, no clock.
 */
export class Sender {
  readonly #sink: FrameSink;
  readonly #queue = new Queue<Pending>();
  #offset = 0;
  #limit: number;
  #finState: "none" | "queued" | "sent" = "none";
  #error: Error | undefined;
  /** Whether the other end has said that it reads no more: then there is nothing to end. */
  #isStopped = false;
  readonly #onDrained = new Queue<Waiting<void>>();

  /** @param limit the absolute offset that may be reached, but not passed. */
  constructor(sink: FrameSink, limit: number) {
    this.#sink = sink;
    this.#limit = limit;
  }

  /** Nothing more will be sent: the FIN is out, or the half has failed. */
  get isDone(): boolean {
    return this.#finState === "sent" || this.#error !== undefined;
  }

  /**
   * Sends one message. Resolves once all of it is within the other end's window and copied.
   *
   * @throws whatever error ended the half, or the signal's reason. A message that is partly on its way when the signal
   * fires is still sent whole: only the wait ends.
   */
  send(message: Uint8Array | string, signal: AbortSignal | undefined): Promise<void> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    const isText = typeof message === "string";
    const bytes = isText ? encoder.encode(message) : message;
    // What all that is fast hangs on: a message that fits goes straight into the batch.
    if (this.#queue.length === 0 && bytes.length <= limits.maxPayloadBytes && this.#room() >= bytes.length) {
      this.#write(isText ? dataFlags.text | dataFlags.last : dataFlags.last, bytes);
      return done;
    }
    return this.#enqueue(bytes, isText, signal);
  }

  /** Ends the half after all that was sent before. Resolves once the FIN is out. @throws whatever error ended the half */
  end(signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    if (this.#finState === "sent" || this.#isStopped) return done;
    if (this.#error !== undefined) return Promise.reject(this.#error);
    if (this.#finState === "queued") return this.drained(signal);
    this.#finState = "queued";
    return this.#enqueue(undefined, false, signal);
  }

  get hasEnded(): boolean {
    return this.#finState !== "none";
  }

  /** The other end allows more. Limits never fall. */
  grant(limit: number): void {
    if (limit <= this.#limit) return;
    this.#limit = limit;
    this.#pump();
  }

  /** Resolves once nothing waits for the window any more. @throws whatever error ended the half */
  drained(signal?: AbortSignal): Promise<void> {
    if (this.#queue.length === 0) return done;
    const { promise, ...wait } = waiting<void>(signal, () => this.#onDrained.remove(wait));
    this.#onDrained.push(wait);
    return promise;
  }

  /** Ends the half with an error for all who wait and all who come later. */
  fail(error: Error): void {
    if (this.isDone) return;
    this.#error = error;
    for (const { reject } of this.#queue.clear()) reject(error);
    for (const { reject } of this.#onDrained.clear()) reject(error);
  }

  /** The other end reads no more: as `fail`, but the half has ended well. */
  stop(error: Error): void {
    if (this.isDone) return;
    this.#isStopped = true;
    for (const { bytes, resolve, reject } of this.#queue.clear()) {
      if (bytes === undefined) resolve();
      else reject(error);
    }
    for (const { resolve } of this.#onDrained.clear()) resolve();
    this.fail(error);
  }

  #enqueue(bytes: Uint8Array | undefined, isText: boolean, signal: AbortSignal | undefined): Promise<void> {
    const { promise, ...wait } = waiting<void>(signal, () => {
      if (bytes === undefined) return;
      if (pending.sentBytes > 0) {
        // What has begun can't be taken back, but its bytes are the caller's again.
        pending.bytes = bytes.slice();
        return;
      }
      this.#queue.remove(pending);
      this.#pump();
    });
    const pending: Pending = { ...wait, bytes, isText, sentBytes: 0 };
    this.#queue.push(pending);
    this.#pump();
    return promise;
  }

  #pump(): void {
    let pending: Pending | undefined;
    while ((pending = this.#queue.peek()) !== undefined) {
      if (!(pending.bytes === undefined ? this.#sendFin() : this.#sendPart(pending, pending.bytes))) return;
      this.#queue.shift();
      pending.resolve();
    }
    for (const { resolve } of this.#onDrained.clear()) resolve();
  }

  #sendFin(): boolean {
    if (this.#room() < 0) return false;
    const offset = this.#offset;
    this.#offset += limits.frameCostBytes;
    // First, since the Connection may be over with this FIN, and asks.
    this.#finState = "sent";
    this.#sink.fin(offset);
    return true;
  }

  /** Sends what the window allows of one message; true when that was all of it. */
  #sendPart(pending: Pending, bytes: Uint8Array): boolean {
    const text = pending.isText ? dataFlags.text : 0;
    for (;;) {
      const left = bytes.length - pending.sentBytes;
      const count = Math.min(left, limits.maxPayloadBytes, this.#room());
      if (count === left) {
        this.#write(text | dataFlags.last, bytes.subarray(pending.sentBytes));
        return true;
      }
      const part = bytes.subarray(
        pending.sentBytes,
        pending.sentBytes + (pending.isText ? wholeCharacters(bytes, pending.sentBytes, count) : count),
      );
      if (count <= 0 || part.length === 0) return false;
      this.#write(text, part);
      pending.sentBytes += part.length;
    }
  }

  #write(flags: number, payload: Uint8Array): void {
    this.#sink.data(flags, this.#offset, payload);
    this.#offset += payload.length + limits.frameCostBytes;
  }

  /** How much payload a frame may carry now; negative if not even an empty one may go. */
  #room(): number {
    return this.#limit - this.#offset - limits.frameCostBytes;
  }
}

/** The most bytes, up to `count`, that end with a whole character: continuation bytes of UTF-8 are 10xxxxxx. */
function wholeCharacters(bytes: Uint8Array, start: number, count: number): number {
  let size = count;
  while (size > 0 && ((bytes[start + size] ?? 0) & 0xc0) === 0x80) size--;
  return size;
}
