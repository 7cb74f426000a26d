import { type DataFrame, limits } from "@messagepasser/protocol";
import { Queue } from "../queue.ts";
import type { Quota } from "./quota.ts";

/** How much memory a Connection may keep alive beside what a sparing peer would need for the same frames. */
const maxWasteBytes = 2 * limits.firstWindowBytes;

/** Frames of one batch, one after the other. */
interface Run {
  readonly batchBytes: number;
  frames: number;
}

/**
 * Frames that wait to be taken. A payload is a view on its batch and keeps all of it alive, so a peer could tie up 192 KiB
 * with every byte that it sends: where batches hold much else than these payloads, they are copied out. So are those of a
 * peer that keeps many batches alive with all its Connections.
 */
export class HeldFrames {
  readonly #batches: Quota;
  readonly #frames = new Queue<DataFrame>();
  readonly #runs = new Queue<Run>();
  #lastRun: Run = { batchBytes: 0, frames: 0 };
  /** The batch of the last frame. */
  #batch: ArrayBufferLike | undefined;
  /** The size of the batches that the frames keep in memory. */
  #batchBytes = 0;
  #costBytes = 0;

  /** @param batches counts the batches that the peer keeps alive on all its Connections. */
  constructor(batches: Quota) {
    this.#batches = batches;
  }

  /** The credit that the frames cost their sender. */
  get costBytes(): number {
    return this.#costBytes;
  }

  get length(): number {
    return this.#frames.length;
  }

  peek(): DataFrame | undefined {
    return this.#frames.peek();
  }

  push(frame: DataFrame): void {
    this.#costBytes += costOf(frame);
    // Asked for once: it takes as long as all else here.
    const { buffer } = frame.payload;
    if (buffer === this.#batch) {
      this.#lastRun.frames++;
      this.#frames.push(frame);
    } else if (
      this.#batchBytes + buffer.byteLength > 2 * this.#costBytes + maxWasteBytes ||
      (this.#batches.isFull && buffer.byteLength > frame.payload.length)
    ) {
      const payload = frame.payload.slice();
      this.#pushFirst({ ...frame, payload }, payload.buffer);
    } else this.#pushFirst(frame, buffer);
  }

  shift(): DataFrame | undefined {
    const frame = this.#frames.shift();
    const run = this.#runs.peek();
    if (frame === undefined || run === undefined) return undefined;
    this.#costBytes -= costOf(frame);
    if (--run.frames > 0) return frame;
    this.#runs.shift();
    this.#keep(-run.batchBytes);
    if (this.#runs.length === 0) this.#batch = undefined;
    return frame;
  }

  clear(): void {
    this.#frames.clear();
    this.#runs.clear();
    this.#batch = undefined;
    this.#keep(-this.#batchBytes);
    this.#costBytes = 0;
  }

  #pushFirst(frame: DataFrame, buffer: ArrayBufferLike): void {
    this.#lastRun = { batchBytes: buffer.byteLength, frames: 1 };
    this.#runs.push(this.#lastRun);
    this.#batch = buffer;
    this.#keep(buffer.byteLength);
    this.#frames.push(frame);
  }

  #keep(batchBytes: number): void {
    this.#batchBytes += batchBytes;
    this.#batches.add(batchBytes);
  }
}

function costOf({ payload }: DataFrame): number {
  return payload.length + limits.frameCostBytes;
}
