import { type DataFrame, limits } from "@messagepasser/protocol";
import { Queue } from "../queue.ts";

/** How much memory may be kept alive beside what a sparing peer would need for the same frames. */
const maxWasteBytes = 2 * limits.firstWindowBytes;

/**
 * Frames that wait to be taken. A payload is a view on its batch and keeps all of it alive, so a peer could tie up 128 KiB
 * with every byte that it sends: where batches hold much else than these payloads, they are copied out.
 */
export class HeldFrames {
  readonly #frames = new Queue<DataFrame>();
  /** The batch of the last frame. */
  #batch: ArrayBufferLike | undefined;
  /** What is kept alive: the batches of all frames. Those of one batch stand together. */
  #batchBytes = 0;
  /** What the frames cost their sender in credit. */
  #costBytes = 0;

  get length(): number {
    return this.#frames.length;
  }

  peek(): DataFrame | undefined {
    return this.#frames.peek();
  }

  push(frame: DataFrame): void {
    this.#costBytes += costOf(frame);
    const held = this.#isWasted(frame.payload.buffer) ? { ...frame, payload: frame.payload.slice() } : frame;
    this.#batchBytes += this.#newBytes(held.payload.buffer);
    this.#batch = held.payload.buffer;
    this.#frames.push(held);
  }

  shift(): DataFrame | undefined {
    const frame = this.#frames.shift();
    if (frame === undefined) return undefined;
    this.#costBytes -= costOf(frame);
    const { buffer } = frame.payload;
    const next = this.#frames.peek();
    if (next?.payload.buffer !== buffer) this.#batchBytes -= buffer.byteLength;
    if (next === undefined) this.#batch = undefined;
    return frame;
  }

  clear(): void {
    this.#frames.clear();
    this.#batch = undefined;
    this.#batchBytes = this.#costBytes = 0;
  }

  #isWasted(buffer: ArrayBufferLike): boolean {
    return this.#batchBytes + this.#newBytes(buffer) > 2 * this.#costBytes + maxWasteBytes;
  }

  #newBytes(buffer: ArrayBufferLike): number {
    return buffer === this.#batch ? 0 : buffer.byteLength;
  }
}

function costOf({ payload }: DataFrame): number {
  return payload.length + limits.frameCostBytes;
}
