import type { Admission } from "../realm/admission.ts";
import type { CredentialStore } from "./credential-store.ts";
import { keysKey, type KeysRecord } from "./key-cache.ts";
import type { KeyStore, Revocation } from "./key-store.ts";

/** KV's copy of what the realm's object decided about one client. The Worker reads it at the edge; it may lag. */
export interface CredentialRecord {
  readonly version: 1;
  /**
   * Secrets of lower revisions were rotated or revoked. Outlives the client, whose revisions never restart. Of the holder
   * of a token: tokens issued before were revoked, in seconds since 1970.
   */
  readonly leastRevision: number;
}

/** The key in KV: at most 11 + 63 + 1 + 128 of the 512 bytes that KV allows. */
export function credentialKey(realm: string, name: string): string {
  return `credential:${realm}:${name}`;
}

/** Whether KV knows that the secret or token behind an admission was rotated or revoked. False where KV fails or knows nothing. */
export async function isRevokedInKv(
  kv: KVNamespace,
  { realm, name, credential, invitation, token }: Admission,
): Promise<boolean> {
  const revision = token?.issuedAtS ?? (credential ?? invitation)?.revision;
  if (revision === undefined) return false;
  try {
    const record = await kv.get<CredentialRecord>(credentialKey(realm, invitation?.host ?? name), "json");
    // Another version of the router may give the fields another meaning.
    return record?.version === 1 && revision < record.leastRevision;
  } catch (error) {
    console.warn("Cannot read a credential from KV", error);
    return false;
  }
}

/** Copies a realm's credentials, and the keys of its tokens, to KV. */
export class KvCopier {
  readonly #kv: KVNamespace;
  readonly #realm: string;
  readonly #store: CredentialStore;
  readonly #keys: KeyStore;

  constructor(
    kv: KVNamespace,
    realm: string,
    stores: { readonly credentials: CredentialStore; readonly keys: KeyStore },
  ) {
    this.#kv = kv;
    this.#realm = realm;
    this.#store = stores.credentials;
    this.#keys = stores.keys;
  }

  /** Copies one client, or keys and revocations of tokens, if KV lacks their last change. Rejects when KV fails. */
  async copy(name?: string): Promise<void> {
    const writes =
      name === undefined ? this.#tokenWrites() : this.#store.uncopied(name).map((change) => this.#write(change));
    await Promise.all(writes);
  }

  /** Copies some of the changes that KV lacks. @returns false when KV failed for one of them */
  async copyPending(): Promise<boolean> {
    const writes = this.#store.uncopied().map((change) => this.#write(change));
    const results = await Promise.allSettled([...writes, ...this.#tokenWrites()]);
    return results.every(({ status }) => status === "fulfilled");
  }

  /** Whether KV lacks a change. */
  get isBehind(): boolean {
    return (
      this.#store.uncopied().length > 0 ||
      this.#keys.uncopiedChange !== undefined ||
      this.#keys.uncopiedRevocations().length > 0
    );
  }

  async #write(change: ReturnType<CredentialStore["uncopied"]>[number]): Promise<void> {
    await this.#put(change.name, change.leastRevision);
    this.#store.markCopied(change);
  }

  #tokenWrites(): Promise<void>[] {
    const { uncopiedChange } = this.#keys;
    return [
      ...(uncopiedChange === undefined ? [] : [this.#writeKeys(uncopiedChange)]),
      ...this.#keys.uncopiedRevocations().map((revocation) => this.#writeRevocation(revocation)),
    ];
  }

  async #writeKeys(change: number): Promise<void> {
    const record: KeysRecord = { version: 1, keys: this.#keys.all() };
    await this.#kv.put(keysKey(this.#realm), JSON.stringify(record));
    this.#keys.markKeysCopied(change);
  }

  async #writeRevocation(revocation: Revocation): Promise<void> {
    const { name, leastIssuedAtS, expiresAtMs } = revocation;
    // KV takes no expiry within the next minute.
    const expiration = Math.ceil(Math.max(expiresAtMs, Date.now() + 120_000) / 1_000);
    await this.#put(name, leastIssuedAtS, { expiration });
    this.#keys.markRevocationCopied(revocation);
  }

  async #put(name: string, leastRevision: number, options?: KVNamespacePutOptions): Promise<void> {
    const record: CredentialRecord = { version: 1, leastRevision };
    await this.#kv.put(credentialKey(this.#realm, name), JSON.stringify(record), options);
  }
}
