import type { Env } from "../env.ts";
import { CallRate, CallsMade } from "../shards/call-rate.ts";
import { decodeAnswer } from "../shards/call.ts";
import type { Outcome } from "../shards/trunk.ts";
import { CallSocket } from "./call-socket.ts";
import type { AskShard, GrowthSteps } from "./growth.ts";
import { objectOf } from "./objects.ts";
import { inTime } from "./platform.ts";
import type { UsageKeeper } from "./usage-keeper.ts";

/** An object, as another shard of the same realm calls it. */
export interface CalledObject {
  /** @returns the answer, as `encodeAnswer` writes it */
  takeCall(bytes: Uint8Array): Uint8Array | Promise<Uint8Array>;
  /** Carries out a step of the realm's growth. */
  growthStep<Step extends keyof GrowthSteps>(step: Step, ...parameters: Parameters<GrowthSteps[Step]>): unknown;
}

/** Calls the objects of a realm's other shards. */
export class ShardCaller {
  readonly #env: Env;
  readonly #realm: string;
  readonly #usage: UsageKeeper;
  readonly #location: () => DurableObjectLocationHint | undefined;
  readonly #made = new CallsMade();
  readonly #ways = new Map<number, Way>();

  /** @param location where objects are made that there aren't yet */
  constructor(
    { env, realm }: { readonly env: Env; readonly realm: string },
    usage: UsageKeeper,
    location: () => DurableObjectLocationHint | undefined,
  ) {
    this.#env = env;
    this.#realm = realm;
    this.#usage = usage;
    this.#location = location;
  }

  /** Calls a shard. @param bytes are good until it returns @param ended gets the outcome, once, and later */
  call(shard: number, bytes: Uint8Array, ended: (outcome: Outcome) => void): void {
    let way = this.#ways.get(shard);
    if (way === undefined) {
      way = new Way(() => this.#stubOf(shard), this.#usage, this.#made);
      this.#ways.set(shard, way);
    }
    way.call(bytes, ended);
  }

  readonly ask: AskShard = async (shard, step, ...parameters) => {
    // Never the stub of an earlier call, which may have failed. The types of RPC don't know the object's methods.
    const object = this.#stubOf(shard) as unknown as CalledObject;
    return (await inTime(object.growthStep(step, ...parameters))) as ReturnType<GrowthSteps[typeof step]>;
  };

  #stubOf(shard: number): DurableObjectStub {
    return objectOf(this.#env, this.#realm, shard, this.#location());
  }
}

/** The way to one object: RPC, or a WebSocket while there are many calls. */
class Way {
  readonly #newStub: () => DurableObjectStub;
  readonly #usage: UsageKeeper;
  readonly #made: CallsMade;
  readonly #rate: CallRate;
  #stub: DurableObjectStub | undefined;
  #socket: CallSocket | undefined;
  #isOpening = false;
  /** When a WebSocket was last asked for. */
  #askedMs = 0;

  constructor(newStub: () => DurableObjectStub, usage: UsageKeeper, made: CallsMade) {
    this.#newStub = newStub;
    this.#usage = usage;
    this.#made = made;
    this.#rate = new CallRate(made);
  }

  call(bytes: Uint8Array, ended: (outcome: Outcome) => void): void {
    const nowMs = Date.now();
    const isWorthSocket = this.#rate.count(nowMs);
    if (this.#socket?.isOpen === true) this.#socket.call(bytes, ended);
    else {
      this.#socket = undefined;
      void this.#callByRpc(bytes).then(ended);
      // A shard that takes no calls so is asked again, but not each time.
      if (isWorthSocket && !this.#isOpening && Math.abs(nowMs - this.#askedMs) >= 1_000) {
        this.#askedMs = nowMs;
        void this.#open();
      }
    }
  }

  async #callByRpc(bytes: Uint8Array): Promise<Outcome> {
    try {
      // The types of RPC don't know the object's methods.
      const object = this.#object as unknown as CalledObject;
      // RPC copies these at once too, but with all of the memory that they are a part of.
      return decodeAnswer(await inTime(object.takeCall(bytes.slice())));
    } catch (error) {
      console.warn("A call to another shard failed", error);
      // A stub that has failed once is of no use any more.
      this.#stub = undefined;
      return Object(error).durableObjectReset === true ? "reset" : "failed";
    }
  }

  get #object(): DurableObjectStub {
    return (this.#stub ??= this.#newStub());
  }

  async #open(): Promise<void> {
    this.#isOpening = true;
    try {
      this.#socket = await CallSocket.open(this.#object, this.#usage, this.#made);
    } catch (error) {
      console.warn("Calls to another shard go on without a WebSocket", error);
      this.#stub = undefined;
    }
    this.#isOpening = false;
  }
}
