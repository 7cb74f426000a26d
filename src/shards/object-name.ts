// The names of the objects of a realm's shards. A realm's own name is the first one's, and no realm's name has a "#".

/** The name of a shard's object. */
export function objectNameOf(realm: string, shard: number): string {
  return shard === 0 ? realm : `${realm}#${shard}`;
}

/** The realm and the shard of an object. */
export function shardNamed(objectName: string): { readonly realm: string; readonly shard: number } {
  const [realm = "", shard = "0"] = objectName.split("#");
  return { realm, shard: Number(shard) };
}
