import type { Admission } from "../realm/admission.ts";
import type { CredentialStore } from "./credential-store.ts";

/** KV's copy of what the realm's object decided about one client. The Worker reads it at the edge; it may lag. */
export interface CredentialRecord {
  readonly version: 1;
  /** Secrets of lower revisions were rotated or revoked. Outlives the client, whose revisions never restart. */
  readonly leastRevision: number;
}

/** The key in KV: at most 11 + 63 + 1 + 128 of the 512 bytes that KV allows. */
export function credentialKey(realm: string, name: string): string {
  return `credential:${realm}:${name}`;
}

/** Whether KV knows that the secret behind an admission was rotated or revoked. False where KV fails or knows nothing. */
export async function isRevokedInKv(
  kv: KVNamespace,
  { realm, name, credential, invitation }: Admission,
): Promise<boolean> {
  const revision = (credential ?? invitation)?.revision;
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

/** Copies a realm's credentials to KV. */
export class KvCopier {
  readonly #kv: KVNamespace;
  readonly #realm: string;
  readonly #store: CredentialStore;

  constructor(kv: KVNamespace, realm: string, store: CredentialStore) {
    this.#kv = kv;
    this.#realm = realm;
    this.#store = store;
  }

  /** Copies one client if KV lacks its last change. Rejects when KV fails. */
  async copy(name: string): Promise<void> {
    await Promise.all(this.#store.uncopied(name).map((change) => this.#write(change)));
  }

  /** Copies some of the changes that KV lacks. @returns false when KV failed for one of them */
  async copyPending(): Promise<boolean> {
    const results = await Promise.allSettled(this.#store.uncopied().map((change) => this.#write(change)));
    return results.every(({ status }) => status === "fulfilled");
  }

  /** Whether KV lacks a change. */
  get isBehind(): boolean {
    return this.#store.uncopied().length > 0;
  }

  async #write(change: ReturnType<CredentialStore["uncopied"]>[number]): Promise<void> {
    const record: CredentialRecord = { version: 1, leastRevision: change.leastRevision };
    await this.#kv.put(credentialKey(this.#realm, change.name), JSON.stringify(record));
    this.#store.markCopied(change);
  }
}
