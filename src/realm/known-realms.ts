import { makeRealm } from "../admin/realms.ts";
import type { Env } from "../env.ts";

/** Which realms are known to exist: all of them in the object that knows all realms, and in a realm's object its own. */
export class KnownRealms {
  readonly #storage: DurableObjectStorage;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  has(realm: string): boolean {
    return this.#storage.kv.get(realmKey(realm)) !== undefined;
  }

  add(realm: string): void {
    if (!this.has(realm)) this.#storage.kv.put(realmKey(realm), true);
  }

  /** Makes the realm of an object exist: no owner has added its clients where an authenticator of the deployer's own admits them. */
  async makeKnown(env: Env, realm: string): Promise<void> {
    if (this.#storage.kv.get(knownKey) !== undefined) return;
    try {
      await makeRealm(env, realm);
      this.#storage.kv.put(knownKey, true);
    } catch (error) {
      console.warn("Cannot note that the realm exists: its next link does", error);
    }
  }
}

/** Where a realm's object notes that the realm is known to exist. */
const knownKey = "isKnown";

function realmKey(realm: string): string {
  return `realm:${realm}`;
}
