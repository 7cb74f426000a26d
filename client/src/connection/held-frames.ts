import type { DataFrame } from "@messagepasser/protocol";
import { Queue } from "../queue.ts";

/**
 * Frames that wait to be taken. A payload is a view on its batch and keeps all of it alive, so a peer could tie up 128 KiB
 * with every byte that it sends: past a bound, payloads are copied out of their batches.
 */
export class HeldFrames {
  readonly #frames = new Queue<DataFrame>();
  readonly #maxBatchBytes: number;
  /** The batch of the last frame, and the size of all batches since the queue was last empty: at least what is kept alive. */
  #batch: ArrayBufferLike | undefined;
  #batchBytes = 0;

  /** @param maxBatchBytes how much memory of batches may be kept alive. */
  constructor(maxBatchBytes: number) {
    this.#maxBatchBytes = maxBatchBytes;
  }

  get length(): number {
    return this.#frames.length;
  }

  peek(): DataFrame | undefined {
    return this.#frames.peek();
  }

  push(frame: DataFrame): void {
    const { buffer } = frame.payload;
    if (buffer !== this.#batch) {
      this.#batch = buffer;
      this.#batchBytes += buffer.byteLength;
    }
    const isTooMuch = this.#batchBytes > this.#maxBatchBytes;
    this.#frames.push(isTooMuch ? { ...frame, payload: frame.payload.slice() } : frame);
  }

  shift(): DataFrame | undefined {
    const frame = this.#frames.shift();
    if (this.#frames.length === 0) {
      this.#batch = undefined;
      this.#batchBytes = 0;
    }
    return frame;
  }

  clear(): void {
    this.#frames.clear();
  }
}
