import { note } from "./output.ts";

/** Tells the owner which shards of the realm have not confirmed a change, if there are any. */
export function noteUnconfirmed(answer: { readonly unconfirmedShards?: readonly number[] | null }): void {
  const unconfirmedShards = answer.unconfirmedShards ?? [];
  if (unconfirmedShards.length === 0) return;
  const [shards, have] = unconfirmedShards.length === 1 ? ["Shard", "has"] : ["Shards", "have"];
  note(
    `${shards} ${unconfirmedShards.join(", ")} ${have} not confirmed the last change yet: until then everything goes on as before there. ` +
      "The router tells them again until they confirm",
  );
}
