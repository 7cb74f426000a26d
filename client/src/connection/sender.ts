import { characterBefore, clientLimits, dataFlags, limits } from "@messagepasser/protocol";
import { Queue } from "../queue.ts";
import { waiting, type Waiting } from "../waiting.ts";
import { lostBuffer } from "./message.ts";
import { isIntact, type Pending, plainView } from "./pending.ts";
import type { Quota } from "./quota.ts";
import type { Failure } from "./failure.ts";
import { type LoggedFrame, SentLog } from "./sent-log.ts";
import { Violation } from "./violation.ts";

/** Where a sender writes its frames. */
export interface FrameSink {
  /**
   * How much of a message may be written now, so that others come in between: -1 unless the other end is there and in step,
   * and the link takes more.
   */
  readyBytes(): number;
  data(flags: number, offset: number, payload: Uint8Array): void;
  fin(offset: number): void;
  /** Gives back what was granted between `limit` and `granted`. Without a pair, `resume` makes up for it. */
  yield(granted: number, limit: number): void;
  /** Too much is kept for this peer: `tend` is to look later whether that has changed. */
  waitForAcknowledgement(): void;
  /** There is something to send: `takeTurn` is to be called when it is this Connection's turn. */
  requestTurn(): void;
  /** The rest of a message that is partly sent is lost: the Connection can't go on. */
  abort(cause: TypeError): void;
}

/** How long a sender may hold more than it needs, in calls of `tend`. */
const idleTends = clientLimits.yieldAfterMs / clientLimits.upkeepEveryMs;
const encoder = new TextEncoder();
const noBytes = new Uint8Array();
const done = Promise.resolve();

/**
 * The sending half of a Connection: splits messages into frames, never goes past the limit that the other end granted, and
 * keeps what was sent until it is acknowledged. Pure: no socket, no clock.
 */
export class Sender {
  readonly #sink: FrameSink;
  readonly #kept: Quota;
  readonly #queue = new Queue<Pending>();
  readonly #log = new SentLog();
  #limit: number;
  /** Whether the other end keeps a window in which small messages fit: then they wait for it, rather than go in pieces. */
  #keepsWhole: boolean;
  /** The limit from which a part was given back, until the other end has answered. */
  #yielded: number | undefined;
  /** Whether frames of the log are being sent again, before anything new. */
  #isReplaying = false;
  #finState: "none" | "queued" | "sent" = "none";
  #failure: Failure | undefined;
  /** Whether the other end has said that it reads no more: then there is nothing to end. */
  #isStopped = false;
  readonly #onDrained = new Queue<Waiting<void>>();
  #onSettled: PromiseWithResolvers<void> | undefined;
  /** Whether the other end is to acknowledge at once what it gets. */
  #isUrgent = false;
  #idleTends = 0;
  #endAtLastTend = 0;

  /** @param limit the absolute offset that may be reached, but not passed. */
  constructor(sink: FrameSink, kept: Quota, limit: number) {
    this.#sink = sink;
    this.#kept = kept;
    this.#limit = limit;
    this.#keepsWhole = limit >= limits.minWindowBytes;
  }

  /** Sends the first frame of a message before the other end has granted anything: it goes with the open. */
  sendFirst(message: Uint8Array | string): void {
    const isText = typeof message === "string";
    const bytes = isText ? encoder.encode(message) : message;
    this.#limit = Math.min(bytes.length, limits.maxPayloadBytes) + limits.frameCostBytes;
    // The rest is sent later, when the bytes are the caller's again. Should that fail, then the open fails, and tells.
    const own = message === bytes && bytes.length > limits.maxPayloadBytes ? plainView(bytes).slice() : bytes;
    this.#enqueue(own, isText, undefined).catch(() => undefined);
    this.#sendNext(limits.maxPayloadBytes);
  }

  /** The first frame that is not acknowledged: before anything is, what goes with the open. */
  get first(): LoggedFrame | undefined {
    this.#log.rewind();
    return this.#log.next();
  }

  /** Nothing more will be sent: the FIN is out, or the half has failed. */
  get isDone(): boolean {
    return this.#finState === "sent" || this.#failure !== undefined;
  }

  /** The same, and the FIN and all before it have also been sent between the two addresses of now. */
  get isTold(): boolean {
    return this.isDone && !this.#isReplaying;
  }

  /**
   * Sends one message. Resolves once all of it is within the other end's window and copied.
   *
   * @throws whatever error ended the half, or the signal's reason. A message that is partly on its way when the signal
   * fires is still sent whole: only the wait ends.
   */
  send(message: Uint8Array | string, signal: AbortSignal | undefined): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure());
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    const isText = typeof message === "string";
    const bytes = isText ? encoder.encode(message) : message;
    // Fast path: a message that fits goes straight into the batch.
    if (
      this.#queue.length === 0 &&
      bytes.length <= limits.maxPayloadBytes &&
      this.#room() >= bytes.length &&
      !this.#isReplaying &&
      !this.#kept.isFull &&
      this.#sink.readyBytes() >= bytes.length
    ) {
      this.#write(isText ? dataFlags.text | dataFlags.last : dataFlags.last, bytes);
      return done;
    }
    return this.#enqueue(bytes, isText, signal);
  }

  /** Ends the half after all that was sent before. Resolves once the FIN is out. @throws whatever error ended the half */
  end(signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    if (this.#finState === "sent" || this.#isStopped) return done;
    if (this.#failure !== undefined) return Promise.reject(this.#failure());
    if (this.#finState === "queued") return this.#drained(signal);
    this.#finState = "queued";
    return this.#enqueue(undefined, false, signal);
  }

  get hasEnded(): boolean {
    return this.#finState !== "none";
  }

  /**
   * The other end has all below `received`, and allows up to `limit`. Either says nothing where it is below what was said
   * before, as in QUIC (RFC 9000, 4.1). @throws Violation
   */
  credit(received: number, limit: number): void {
    if (this.#failure !== undefined || this.#isStopped) return;
    let granted = limit;
    if (this.#yielded !== undefined) {
      // A credit that was under way when a part was given back still has the old limit. Ignore it.
      if (limit === this.#yielded) granted = this.#limit;
      else this.#yielded = undefined;
    }
    if (received > this.#log.acknowledged) this.#acknowledge(received);
    if (granted > this.#limit) {
      this.#limit = granted;
      this.#request();
    }
    this.#askAgain();
  }

  /** A new pair of addresses: all that the other end lacks is sent again, then what is new. @throws Violation */
  resume(received: number, limit: number): void {
    if (this.#failure !== undefined || this.#isStopped) return;
    if (limit < this.#log.end) throw new Violation(`A limit of ${limit}, after ${this.#log.end} were sent,`);
    this.#acknowledge(received);
    this.#yielded = undefined;
    this.#limit = limit;
    this.#keepsWhole ||= limit - received >= limits.minWindowBytes;
    this.#log.rewind();
    this.#isReplaying = received < this.#log.end;
    this.#request();
  }

  /** Writes a frame or so, when it is this Connection's turn. Returns whether there is more that could be written. */
  takeTurn(): boolean {
    for (let writtenBytes = 0; ;) {
      const pieceBytes = Math.min(this.#sink.readyBytes(), limits.maxPayloadBytes);
      if (pieceBytes <= writtenBytes) return true;
      const bytes = this.#isReplaying ? this.#replayNext(pieceBytes) : this.#sendNext(pieceBytes);
      if (bytes === 0) return false;
      writtenBytes += bytes;
    }
  }

  /** Resolves once everything is acknowledged, or can't be any more. Never rejects. */
  get settled(): Promise<void> {
    if (this.#failure !== undefined || this.#isSettled) return done;
    this.#onSettled ??= Promise.withResolvers();
    return this.#onSettled.promise;
  }

  /** Has the other end acknowledge at once all that was sent, instead of within a second. */
  hurry(): void {
    this.#isUrgent = true;
    this.#askAgain();
  }

  /** Ends the half with an error for waiting and for later calls. */
  fail(failure: Failure): void {
    // Nothing will be acknowledged any more.
    this.#release();
    if (this.isDone) return;
    this.#failure = failure;
    for (const { reject } of this.#queue.clear()) reject(failure());
    for (const { reject } of this.#onDrained.clear()) reject(failure());
  }

  /** The other end reads no more: as `fail`, but the half has ended well. */
  stop(failure: Failure): void {
    this.#isStopped = true;
    if (this.isDone) {
      this.#release();
      return;
    }
    for (const { bytes, resolve, reject } of this.#queue.clear()) {
      if (bytes === undefined) resolve();
      else reject(failure());
    }
    for (const { resolve } of this.#onDrained.clear()) resolve();
    this.fail(failure);
  }

  /** Looks about once a second whether what waits may go, and whether something was granted that nobody uses. Returns whether to look again. */
  tend(): boolean {
    this.#request();
    const floor = this.#log.end + limits.minWindowBytes;
    if (this.isDone || this.#limit <= floor || this.#yielded !== undefined) return false;
    this.#idleTends = this.#endAtLastTend === this.#log.end ? this.#idleTends + 1 : 0;
    this.#endAtLastTend = this.#log.end;
    if (this.#idleTends < idleTends) return true;
    this.#yieldTo(floor);
    return false;
  }

  /** Gives credit back, which is answered at once, by a credit that also acknowledges. A FIN needs no such question. */
  #askAgain(): void {
    if (!this.#isUrgent || this.#isReplaying || this.#isSettled || this.#queue.length > 0) return;
    if (this.#yielded !== undefined || this.isDone) return;
    this.#yieldTo(Math.min(this.#limit, this.#log.end + limits.minWindowBytes));
  }

  #yieldTo(limit: number): void {
    this.#yielded = this.#limit;
    this.#limit = limit;
    this.#sink.yield(this.#yielded, limit);
  }

  get #isSettled(): boolean {
    return this.#queue.length === 0 && this.#log.acknowledged === this.#log.end;
  }

  #acknowledge(received: number): void {
    const before = this.#log.acknowledged;
    if (received === before) return;
    if (!this.#log.acknowledge(received))
      throw new Violation(`${received} acknowledged, between ${before} and ${this.#log.end},`);
    this.#kept.add(before - received);
    if (this.#isSettled) this.#onSettled?.resolve();
  }

  #release(): void {
    this.#kept.add(this.#log.acknowledged - this.#log.end);
    this.#log.acknowledge(this.#log.end);
    this.#isReplaying = false;
    this.#onSettled?.resolve();
  }

  #drained(signal?: AbortSignal): Promise<void> {
    const { promise, ...wait } = waiting<void>(signal, () => this.#onDrained.remove(wait));
    this.#onDrained.push(wait);
    return promise;
  }

  #enqueue(given: Uint8Array | undefined, isText: boolean, signal: AbortSignal | undefined): Promise<void> {
    const bytes = given && plainView(given);
    const lengthBytes = bytes?.length ?? 0;
    const { promise, ...wait } = waiting<void>(signal, () => {
      if (bytes === undefined) return;
      if (pending.sentBytes > 0) {
        // A message that has begun can't be taken back. Copy the rest, since the caller may reuse its bytes.
        if (isIntact(pending)) pending.bytes = bytes.slice();
        return;
      }
      this.#queue.remove(pending);
      if (this.#isSettled) this.#onSettled?.resolve();
      this.#request();
    });
    const pending: Pending = { ...wait, bytes, isText, lengthBytes, sentBytes: 0 };
    this.#queue.push(pending);
    this.#request();
    return promise;
  }

  #request(): void {
    if (this.#isReplaying || this.#queue.length > 0) this.#sink.requestTurn();
  }

  /** Sends the next frame of the log again. Returns what it costs, 0 if there was none. */
  #replayNext(pieceBytes: number): number {
    const frame = this.#log.next();
    if (frame === undefined) {
      this.#isReplaying = false;
      this.#askAgain();
      return this.#sendNext(pieceBytes);
    }
    const { flags, offset, payload } = frame;
    if (flags === undefined) {
      this.#isReplaying = false;
      this.#sink.fin(offset);
    } else this.#sink.data(flags, offset, payload);
    return payload.length + limits.frameCostBytes;
  }

  /** Sends the next new frame, of about a step. Returns what it costs, 0 if there is none or no room for it. */
  #sendNext(pieceBytes: number): number {
    const pending = this.#nextPending();
    if (pending === undefined) return 0;
    if (this.#kept.isFull) {
      this.#sink.waitForAcknowledgement();
      return 0;
    }
    const { bytes, lengthBytes } = pending;
    if (bytes === undefined) return this.#sendFin(pending);
    const left = lengthBytes - pending.sentBytes;
    // For readers that see each frame as a message.
    const isWhole = this.#keepsWhole && lengthBytes + limits.frameCostBytes <= limits.minWindowBytes / 2;
    const room = Math.min(left, isWhole ? left : this.#fitting(left, pieceBytes), this.#room());
    const start = pending.sentBytes;
    const text = pending.isText ? dataFlags.text : 0;
    if (room === left) {
      this.#write(text | dataFlags.last, bytes.subarray(start));
      this.#finish(pending);
      return left + limits.frameCostBytes;
    }
    if (isWhole) return 0;
    const count = pending.isText ? characterBefore(bytes, start, start + room) - start : room;
    if (count <= 0) return 0;
    this.#write(text, bytes.subarray(start, start + count));
    pending.sentBytes += count;
    return count + limits.frameCostBytes;
  }

  /** How large the pieces of a message are: one that fits into the window must not miss it for being cut in small pieces. */
  #fitting(leftBytes: number, pieceBytes: number): number {
    const fitsIn = (bytes: number): boolean =>
      leftBytes + (Math.ceil(leftBytes / bytes) - 1) * limits.frameCostBytes <= this.#room();
    return !fitsIn(pieceBytes) && fitsIn(limits.maxPayloadBytes) ? limits.maxPayloadBytes : pieceBytes;
  }

  #sendFin(pending: Pending): number {
    if (this.#room() < 0) return 0;
    const offset = this.#log.end;
    this.#keep(undefined, noBytes);
    this.#finState = "sent";
    this.#finish(pending);
    // Last, since the Connection may be done with this FIN, and asks.
    this.#sink.fin(offset);
    return limits.frameCostBytes;
  }

  /** The first message that can still be sent. Those before it, whose bytes are gone, fail. */
  #nextPending(): Pending | undefined {
    let pending: Pending | undefined;
    while ((pending = this.#queue.peek()) !== undefined) {
      if (isIntact(pending)) return pending;
      const error = lostBuffer();
      pending.reject(error);
      this.#advance();
      if (pending.sentBytes > 0) this.#sink.abort(error);
      else if (this.#isSettled) this.#onSettled?.resolve();
    }
    return undefined;
  }

  #finish(pending: Pending): void {
    pending.resolve();
    this.#advance();
  }

  /** The first message of the queue is done. */
  #advance(): void {
    this.#queue.shift();
    if (this.#queue.length > 0) return;
    for (const { resolve } of this.#onDrained.clear()) resolve();
    this.#askAgain();
  }

  #write(flags: number, payload: Uint8Array): void {
    const offset = this.#log.end;
    this.#keep(flags, payload);
    this.#sink.data(flags, offset, payload);
  }

  #keep(flags: number | undefined, payload: Uint8Array): void {
    this.#log.push(flags, payload);
    this.#kept.add(payload.length + limits.frameCostBytes);
  }

  /** How much payload a frame may carry now; negative if not even an empty one may go. */
  #room(): number {
    return this.#limit - this.#log.end - limits.frameCostBytes;
  }
}
