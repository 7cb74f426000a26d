import { isHolderName } from "@messagepasser/protocol";

// Which shard of a realm has a client: a fixed hash of its name. Every version of the router has to compute the same.

const encoder = new TextEncoder();

/**
 * The shard that is the home of a name, by linear hashing: when a shard is added, one other shard gives half of its names
 * to it, and no name moves otherwise.
 *
 * @param name only its place counts, so that names which belong together have one home
 * @param count how many shards the realm has, from 1
 */
export function homeOf(name: string, count: number): number {
  if (count === 1) return 0;
  const hash = hashOf(placeOf(name));
  const half = 2 ** Math.floor(Math.log2(count));
  const shard = hash % (2 * half);
  return shard < count ? shard : shard - half;
}

/**
 * The part of a name, or of a pattern of names, that decides where its home is: what stands before the first "/". For the
 * holder of a token it is what stands before the second one: the holders of one key may be most clients of a realm.
 */
export function placeOf(name: string): string {
  const slash = name.indexOf("/", isHolderName(name) ? name.indexOf("/") + 1 : 0);
  return slash === -1 ? name : name.slice(0, slash);
}

/** The shard that gives half of its names to a new one. @param shard the number of the new one, from 1 */
export function giverTo(shard: number): number {
  return shard - 2 ** Math.floor(Math.log2(shard));
}

/** FNV-1a of the UTF-8 bytes, with the last step of MurmurHash3, since the low bits decide. */
function hashOf(place: string): number {
  let hash = 0x811c9dc5;
  for (const byte of encoder.encode(place)) hash = Math.imul(hash ^ byte, 0x0100_0193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
