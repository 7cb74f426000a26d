import { routerLimits } from "@messagepasser/protocol";

// In a realm of several shards an address is the number of a shard, in its upper 10 bits, and a number within the shard.

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

/** The addresses of one of so many shards. A realm of one shard has all addresses but those of the built-in peers. */
export function addressesOf(shard: number, count: number): AddressRange {
  if (count === 1) return { first: 1, last: routerLimits.lastAddress };
  const base = shard * 2 ** localBits;
  // Address 0 is the router's.
  return { first: base + 1, last: base + 2 ** localBits - 1 };
}
