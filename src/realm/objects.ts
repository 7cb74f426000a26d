import { jurisdictionOf } from "@messagepasser/protocol";
import type { Env } from "../env.ts";
import { objectNameOf } from "../shards/object-name.ts";

/** The object of a realm's shard. @param location where the runtime makes it, if it isn't there yet. Default: near its caller. */
export function objectOf(
  env: Pick<Env, "ROUTER">,
  realm: string,
  shard: number,
  location?: DurableObjectLocationHint,
): DurableObjectStub {
  const name = objectNameOf(realm, shard);
  return namespaceOf(env, realm).getByName(name, location === undefined ? {} : { locationHint: location });
}

/** The namespace of a realm's objects. One with a jurisdiction has other objects than all others, whatever their names. */
function namespaceOf({ ROUTER }: Pick<Env, "ROUTER">, realm: string): DurableObjectNamespace {
  const jurisdiction = jurisdictionOf(realm);
  if (jurisdiction === undefined) return ROUTER;
  try {
    return ROUTER.jurisdiction(jurisdiction);
  } catch (error) {
    // On a machine of one's own there are no jurisdictions. Cloudflare never says this.
    if (error instanceof Error && error.message.includes("not implemented in workerd")) return ROUTER;
    throw error;
  }
}
