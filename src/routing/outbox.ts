import { limits, routerLimits } from "@messagepasser/protocol";
import { joined } from "./encoding.ts";

/** Batches that leave a link as one: their segments, one after the other, are a batch as well. */
export class Outbox {
  #batches: Uint8Array[] = [];
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#bytes === 0;
  }

  /** Adds a batch behind the others; false where it can't be one with them. */
  add(batch: Uint8Array): boolean {
    if (batch.length > routerLimits.maxOutboxBatchBytes || this.#bytes + batch.length > limits.maxBatchBytes)
      return false;
    this.#batches.push(batch);
    this.#bytes += batch.length;
    return true;
  }

  /** Takes all out as one batch, which is copied unless it is the only one. There must be one. */
  take(): Uint8Array {
    const batches = this.#batches;
    this.#batches = [];
    this.#bytes = 0;
    return joined(batches);
  }
}
