import type { Clock } from "../../client/src/link/platform.ts";
import { homeOf } from "../../src/shards/home.ts";
import { Calls } from "./calls.ts";
import { CallJudge } from "./judge.ts";
import { Shard } from "./shard.ts";
import type { Wire } from "./wire.ts";

/** What a router needs of its world. */
interface RouterStart {
  readonly shards: number;
  readonly clock: Clock;
  fail(problem: string): void;
}

/** The router of one realm: its objects, and the calls between them. */
export class Router {
  readonly shards: readonly Shard[];
  readonly calls: Calls;

  constructor({ shards: count, clock, fail }: RouterStart) {
    this.calls = new Calls(({ from, to, bytes }) => {
      const [caller, called] = [this.#at(from), this.#at(to)];
      return called.takeCall(bytes, caller.isOfAnotherVersion === called.isOfAnotherVersion);
    });
    const surroundings = {
      count,
      clock,
      judge: new CallJudge(),
      call: (from: number, to: number, bytes: Uint8Array, ended: Parameters<Calls["make"]>[0]["ended"]) => {
        this.calls.make({ from, to, bytes, ended });
      },
      fail,
    };
    this.shards = Array.from({ length: count }, (_, number) => new Shard(number, surroundings));
  }

  #at(number: number): Shard {
    const shard = this.shards[number];
    if (shard === undefined) throw new Error(`There is no shard ${number}`);
    return shard;
  }

  #homeOf({ name }: Wire): Shard {
    return this.#at(homeOf(name, this.shards.length));
  }

  /** Whether no object waits for another one. */
  get isIdle(): boolean {
    return this.calls.count === 0 && this.shards.every(({ isIdle }) => isIdle);
  }

  isOpen(wire: Wire): boolean {
    return this.#homeOf(wire).isOpen(wire);
  }

  upgrade(wire: Wire): void {
    this.#homeOf(wire).upgrade(wire);
  }

  receive(wire: Wire, batch: Uint8Array): void {
    this.#homeOf(wire).receive(wire, batch);
  }

  heard(wire: Wire): void {
    this.#homeOf(wire).heard(wire);
  }

  leave(wire: Wire): void {
    this.#homeOf(wire).leave(wire);
  }

  alarm(number: number): void {
    this.#at(number).alarm();
  }

  /** @param survivors how many of the calls from it and to it still arrive. @returns the wires that have lost their other end */
  die(number: number, survivors: number): Wire[] {
    const wires = this.#at(number).die();
    this.calls.die(number, survivors);
    return wires;
  }

  /** @returns whether the runtime lets the object sleep: not while it waits for something */
  sleep(number: number): boolean {
    const shard = this.#at(number);
    if (!shard.isIdle || this.calls.isWaiting(number)) return false;
    shard.sleep();
    this.calls.sleep(number);
    return true;
  }
}
