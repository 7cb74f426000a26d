import { env } from "cloudflare:workers";
import { expect } from "vitest";
import type { RouterObject } from "../../src/router-object.ts";
import { objectNameOf } from "../../src/shards/object-name.ts";
import { nameOn } from "../support/shard-names.ts";
import { admin, Realm } from "./realm.ts";

/** A realm of several shards, and names that have their home on each. */
export class ShardedRealm extends Realm {
  readonly count: number;

  private constructor(count: number) {
    super();
    this.count = count;
  }

  static async of(count: number): Promise<ShardedRealm> {
    const realm = new ShardedRealm(count);
    expect((await setShards(realm, count)).status).toBe(204);
    return realm;
  }

  shard(number: number): DurableObjectStub<RouterObject> {
    return env.ROUTER.getByName(objectNameOf(this.name, number));
  }

  /** A name whose home is a shard. */
  nameOn(shard: number, start = "client"): string {
    return nameOn(shard, start, this.count);
  }
}

export async function setShards(realm: Realm, shards: unknown): Promise<Response> {
  return await admin(`/realms/${realm.name}/shards`, { method: "PUT", body: JSON.stringify({ shards }) });
}
