import type { Message } from "messagepasser";
import { described, isMessageOf, isReadable, numberIn } from "./message.ts";
import type { DirectionPlan } from "./plan.ts";

/** A fault of messages that came, or of those that didn't. */
export interface Finding {
  readonly what: "lost" | "duplicated" | "reordered";
  readonly count: number;
  readonly detail: string;
}

/** Keeps the books of one direction: which of its messages came, and in what order. */
export class Tally {
  readonly #direction: DirectionPlan;
  /** Numbers below `#next` that have not come: lost, unless they come late. */
  readonly #missing = new Set<number>();
  #next = 0;

  constructor(direction: DirectionPlan) {
    this.#direction = direction;
  }

  /** The number whose turn it is. */
  get next(): number {
    return this.#next;
  }

  /** Takes a message that came, and tells what is wrong with it, if something is. */
  take(message: Message): Finding | undefined {
    const seq = this.#numberOf(message);
    if (seq === this.#next) {
      this.#next++;
      return undefined;
    }
    const expected = `expected message ${this.#next} of ${this.#direction.count}`;
    if (seq === undefined) {
      return {
        what: "lost",
        count: 1,
        detail: `${expected}, got one that is damaged or no part of it: ${described(message)}`,
      };
    }
    const detail = `${expected}, got message ${seq}: ${described(message)}`;
    if (this.#missing.delete(seq)) return { what: "reordered", count: 1, detail };
    if (seq < this.#next) return { what: "duplicated", count: 1, detail };
    for (let skipped = this.#next; skipped < seq; skipped++) this.#missing.add(skipped);
    this.#next = seq + 1;
    // Whether what was skipped is lost or late shows later.
    return undefined;
  }

  /** The messages that never came, once the direction has ended in good order. */
  finish(): Finding | undefined {
    for (let seq = this.#next; seq < this.#direction.count; seq++) this.#missing.add(seq);
    const missing = [...this.#missing];
    if (missing.length === 0) return undefined;
    const shown = missing.slice(0, 20).join(", ") + (missing.length > 20 ? ", …" : "");
    return {
      what: "lost",
      count: missing.length,
      detail: `of ${this.#direction.count} messages, never came: ${shown}`,
    };
  }

  #numberOf(message: Message): number | undefined {
    const { label, count } = this.#direction;
    const isOf = (seq: number): boolean => isMessageOf(this.#direction, seq, message);
    if (this.#next < count && isOf(this.#next)) return this.#next;
    if (isReadable(message)) {
      const seq = numberIn(message, label);
      return seq !== undefined && seq < count && isOf(seq) ? seq : undefined;
    }
    // Too short to be sure: the first that it could be, of those that have not come, the last of those that have, or else
    // of those to come.
    const come = Array.from({ length: this.#next }, (_, index) => this.#next - 1 - index);
    const toCome = Array.from({ length: count - this.#next }, (_, index) => this.#next + index);
    return [...this.#missing, ...come, ...toCome].find(isOf);
  }
}
