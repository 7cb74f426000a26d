/** The realms that exist, in the storage of an object that is none: see admin/realms.ts. */
export class RealmDirectory {
  readonly #storage: DurableObjectStorage;
  readonly #credentials: KVNamespace;
  #learning: Promise<void> | undefined;

  /** @param credentials which knows the realms from before there was a directory: the keys of kv-records.ts */
  constructor(storage: DurableObjectStorage, credentials: KVNamespace) {
    this.#storage = storage;
    this.#credentials = credentials;
  }

  async has(realm: string): Promise<boolean> {
    if (this.#storage.kv.get(isCompleteKey) === undefined) {
      this.#learning ??= this.#learn().finally(() => (this.#learning = undefined));
      await this.#learning;
    }
    return this.#storage.kv.get(realmKey(realm)) !== undefined;
  }

  add(realm: string): void {
    if (this.#storage.kv.get(realmKey(realm)) === undefined) this.#storage.kv.put(realmKey(realm), true);
  }

  /** Adds all realms that KV knows, once in the life of a router. A list costs ten times as much as a read. */
  async #learn(): Promise<void> {
    let cursor: string | undefined;
    do {
      const page = await this.#credentials.list({ prefix: "credential:", ...(cursor !== undefined && { cursor }) });
      // Realms have no colon.
      for (const realm of new Set(page.keys.map(({ name }) => name.split(":")[1] ?? ""))) this.add(realm);
      cursor = page.list_complete ? undefined : page.cursor;
    } while (cursor !== undefined);
    this.#storage.kv.put(isCompleteKey, true);
  }
}

const isCompleteKey = "hasAllRealms";

function realmKey(realm: string): string {
  return `realm:${realm}`;
}
