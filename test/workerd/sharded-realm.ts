import { env } from "cloudflare:workers";
import { expect } from "vitest";
import type { RouterObject } from "../../src/router-object.ts";
import { objectNameOf } from "../../src/shards/object-name.ts";
import { nameOn } from "../support/shard-names.ts";
import { admin, Realm } from "./realm.ts";

/** A realm of several shards, and names that have their home on each. */
export class ShardedRealm extends Realm {
  /** How many shards `nameOn` counts. */
  count = 1;

  static async of(count: number): Promise<ShardedRealm> {
    const realm = new ShardedRealm();
    await realm.grow(count);
    return realm;
  }

  /** Makes the realm grow, and waits until it has. */
  async grow(count: number): Promise<void> {
    expect([200, 202]).toContain((await setShards(this, count)).status);
    await this.hasGrown(count);
  }

  async hasGrown(count: number): Promise<void> {
    await expect.poll(() => this.layout()).toEqual({ shards: count });
    this.count = count;
  }

  async layout(): Promise<unknown> {
    return await (await admin(`/realms/${this.name}/shards`)).json();
  }

  shard(number: number): DurableObjectStub<RouterObject> {
    return env.ROUTER.getByName(objectNameOf(this.name, number));
  }

  /** A name whose home is a shard. */
  nameOn(shard: number, start = "client", count = this.count): string {
    return nameOn(shard, start, count);
  }
}

export async function setShards(realm: Realm, shards: unknown): Promise<Response> {
  return await admin(`/realms/${realm.name}/shards`, { method: "PUT", body: JSON.stringify({ shards }) });
}
