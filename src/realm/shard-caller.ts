import type { Env } from "../env.ts";
import { decodeAnswer } from "../shards/call.ts";
import { objectNameOf } from "../shards/object-name.ts";
import type { Outcome } from "../shards/trunk.ts";

/** An object, as another shard of the same realm calls it. */
export interface CalledObject {
  /** @returns the answer, as `encodeAnswer` writes it */
  takeCall(bytes: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** Calls the objects of a realm's other shards. */
export class ShardCaller {
  readonly #env: Env;
  readonly #realm: string;
  readonly #objects = new Map<number, CalledObject>();

  constructor(env: Env, realm: string) {
    this.#env = env;
    this.#realm = realm;
  }

  async call(shard: number, bytes: Uint8Array): Promise<Outcome> {
    try {
      return decodeAnswer(await this.#to(shard).takeCall(bytes));
    } catch (error) {
      console.warn("A call to another shard failed", error);
      // A stub that has failed once is of no use any more.
      this.#objects.delete(shard);
      return Object(error).durableObjectReset === true ? "reset" : "failed";
    }
  }

  #to(shard: number): CalledObject {
    let object = this.#objects.get(shard);
    if (object === undefined) {
      // The types of RPC don't know the object's methods.
      object = this.#env.ROUTER.getByName(objectNameOf(this.#realm, shard)) as unknown as CalledObject;
      this.#objects.set(shard, object);
    }
    return object;
  }
}
