// Which shard of a realm has a client: a fixed hash of its name. Every version of the router has to compute the same.

const encoder = new TextEncoder();

/**
 * The shard that is the home of a name, by linear hashing: when a shard is added, one other shard gives half of its names
 * to it, and no name moves otherwise.
 *
 * @param name only what stands before its first "/" counts, so that names which belong together have one home
 * @param count how many shards the realm has, from 1
 */
export function homeOf(name: string, count: number): number {
  if (count === 1) return 0;
  const hash = hashOf(name);
  const half = 2 ** Math.floor(Math.log2(count));
  const shard = hash % (2 * half);
  return shard < count ? shard : shard - half;
}

/** FNV-1a of the UTF-8 bytes, with the last step of MurmurHash3, since the low bits decide. */
function hashOf(name: string): number {
  const slash = name.indexOf("/");
  let hash = 0x811c9dc5;
  for (const byte of encoder.encode(slash === -1 ? name : name.slice(0, slash)))
    hash = Math.imul(hash ^ byte, 0x0100_0193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
