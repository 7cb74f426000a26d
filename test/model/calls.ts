import type { Outcome } from "../../src/shards/trunk.ts";

/** What becomes of a call: it arrives, also twice; or its caller hears that it failed, before it arrived, after, or long before. */
export type Fate = "done" | "twice" | "lost" | "unheard" | "late";

/** A call of one object to another. */
interface Call {
  readonly from: number;
  readonly to: number;
  readonly bytes: Uint8Array;
  readonly ended: (outcome: Outcome) => void;
}

/** The calls between objects, on their way. */
export class Calls {
  readonly #deliver: (call: Call) => Outcome;
  #underWay: Call[] = [];
  /** Those that failed for their callers, and may still arrive. */
  #late: Call[] = [];

  /** @param deliver gives a call to the object that it is for */
  constructor(deliver: (call: Call) => Outcome) {
    this.#deliver = deliver;
  }

  get count(): number {
    return this.#underWay.length;
  }

  get lateCount(): number {
    return this.#late.length;
  }

  /** Whether an object waits for an answer. */
  isWaiting(shard: number): boolean {
    return this.#underWay.some(({ from }) => from === shard);
  }

  make(call: Call): void {
    this.#underWay.push(call);
  }

  end(number: number, fate: Fate): void {
    const [call] = this.#underWay.splice(number, 1);
    if (call === undefined) return;
    if (fate === "late") this.#late.push(call);
    const outcome = fate === "lost" || fate === "late" ? "failed" : this.#deliver(call);
    call.ended(fate === "unheard" ? "failed" : outcome);
    if (fate === "twice") this.#deliver(call);
  }

  arriveLate(number: number): void {
    const [call] = this.#late.splice(number, 1);
    if (call !== undefined) this.#deliver(call);
  }

  /** No call that failed arrives any more. */
  forgetLate(): void {
    this.#late = [];
  }

  /** An object sleeps: a call that comes later than that has no object to come to. */
  sleep(shard: number): void {
    this.#late = this.#late.filter(({ to }) => to !== shard);
  }

  /** An object is gone. Of the calls to it and from it, the first still arrive. */
  die(shard: number, survivors: number): void {
    let left = survivors;
    const lost: Call[] = [];
    this.#underWay = this.#underWay.filter((call) => {
      if ((call.from !== shard && call.to !== shard) || left-- > 0) return true;
      lost.push(call);
      return false;
    });
    // Of an object that is gone this means nothing.
    for (const { ended } of lost) ended("reset");
  }
}
