import { routerLimits } from "@messagepasser/protocol";
import type { TokenKey } from "./token-key.ts";

/** KV's copy of the keys of a realm's tokens. The Worker reads it at the edge; it may lag. */
export interface KeysRecord {
  readonly version: 1;
  readonly keys: readonly TokenKey[];
}

/** The key in KV. */
export function keysKey(realm: string): string {
  return `keys:${realm}`;
}

/** What one Worker remembers: all tokens of a realm cost one read of KV in a while. */
const known = new Map<string, { readonly keys: readonly TokenKey[]; readonly untilMs: number }>();

/** The keys of a realm, if the Worker remembers them. */
export function knownKeys(realm: string): readonly TokenKey[] | undefined {
  const entry = known.get(realm);
  return entry !== undefined && Date.now() < entry.untilMs ? entry.keys : undefined;
}

/** Whether a realm had keys when the Worker last read them: a stranger can't make up such a realm. */
export function hadKeys(realm: string): boolean {
  return (known.get(realm)?.keys.length ?? 0) > 0;
}

/** The keys of a realm as KV has them: none where KV knows nothing. Rejects when KV fails. */
export async function readKeys(kv: KVNamespace, realm: string): Promise<readonly TokenKey[]> {
  const record = await kv.get<KeysRecord>(keysKey(realm), "json");
  // Another version of the router may give the fields another meaning.
  const keys = record?.version === 1 ? record.keys : [];
  forgetKeys(realm);
  // Starts again: a simple way to forget realms that nobody asks for.
  if (known.size >= routerLimits.maxRealmsWithKeys) known.clear();
  known.set(realm, { keys, untilMs: Date.now() + routerLimits.keysFreshMs });
  return keys;
}

/** Has the keys of a realm read anew, since they have changed. */
export function forgetKeys(realm: string): void {
  known.delete(realm);
}
