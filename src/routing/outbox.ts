import { limits, routerLimits } from "@messagepasser/protocol";
import { joined } from "./encoding.ts";

/** Batches that leave as one message: batches one after the other are a batch too. */
export class Outbox {
  #batches: Uint8Array[] = [];
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#bytes === 0;
  }

  /** Adds a batch; false if it is too large to wait. */
  add(batch: Uint8Array): boolean {
    if (batch.length > routerLimits.maxOutboxBatchBytes || this.#bytes + batch.length > limits.maxBatchBytes)
      return false;
    this.#batches.push(batch);
    this.#bytes += batch.length;
    return true;
  }

  /** Removes all batches and returns them as one. The outbox must not be empty. */
  take(): Uint8Array {
    const batches = this.#batches;
    const [first] = batches;
    this.#bytes = 0;
    // Taken out rather than left to a new array, where there is only one.
    if (batches.length === 1 && first !== undefined) {
      batches.pop();
      return first;
    }
    this.#batches = [];
    return joined(batches);
  }
}
