import type { Unconfirmed } from "@messagepasser/protocol/admin";
import { note } from "./output.ts";

/** Tells the owner which shards of the realm have not confirmed a change. */
export function noteUnconfirmed({ unconfirmedShards = [] }: Unconfirmed): void {
  if (unconfirmedShards.length === 0) return;
  const [shards, have] = unconfirmedShards.length === 1 ? ["Shard", "has"] : ["Shards", "have"];
  note(
    `${shards} ${unconfirmedShards.join(", ")} ${have} not confirmed this yet: until then everything goes on as before there. ` +
      "The router tells them again until they confirm",
  );
}
