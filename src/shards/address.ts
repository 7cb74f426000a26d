// An address is the number of a shard, in its upper 10 bits, and a number within the shard, also in a realm of one shard:
// so a realm can grow whatever addresses its links have.

const localBits = 22;

/** The shard of a link, by its address. */
export function shardOf(address: number): number {
  return address >>> localBits;
}

/** The addresses that a shard may hand out. */
export interface AddressRange {
  readonly first: number;
  readonly last: number;
}

/** The addresses of a shard. Those of the built-in peers are of the last shard that there could be. */
export function addressesOf(shard: number): AddressRange {
  const base = shard * 2 ** localBits;
  // Address 0 is the router's.
  return { first: base + 1, last: base + 2 ** localBits - 1 };
}
