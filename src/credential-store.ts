import { type CredentialRecord, credentialKey } from "./credential-record.ts";
import { mintSecret } from "./secret.ts";

/** What is stored of a secret; see secret.ts. */
interface StoredSecret {
  readonly id: string;
  readonly revision: number;
  readonly hash: string;
}

/** A client as the admin API shows it: nothing in it is secret. */
export interface ClientInfo {
  readonly name: string;
  /** The id that its secret begins with, once decoded. */
  readonly secretId: string;
  readonly revision: number;
  /** ISO 8601. */
  readonly changedAt: string;
}

/** A client with the secret that was just made for it: the only time that it is seen. */
export interface NewSecret extends ClientInfo {
  readonly secret: string;
}

interface Row extends Record<string, SqlStorageValue> {
  readonly name: string;
  readonly revision: number;
  readonly least_revision: number;
  readonly secrets: string;
  readonly changed_at: number;
}

/**
 * The realm's credentials, in the object's own SQLite: the truth. Every change is also written to KV, where the Worker
 * reads it: by `copyToKv` at once, and what KV doesn't take then by `syncToKv` until it does.
 */
export class CredentialStore {
  readonly #sql: SqlStorage;
  readonly #kv: KVNamespace;
  readonly #pepper: string;
  readonly #realm: string;

  constructor(sql: SqlStorage, kv: KVNamespace, pepper: string, realm: string) {
    this.#sql = sql;
    this.#kv = kv;
    this.#pepper = pepper;
    this.#realm = realm;
    // A revoked client's row stays, without secrets: its revisions must never start again.
    sql.exec(`CREATE TABLE IF NOT EXISTS clients (
      name TEXT PRIMARY KEY,
      revision INTEGER NOT NULL,
      least_revision INTEGER NOT NULL,
      secrets TEXT NOT NULL,
      changed_at INTEGER NOT NULL,
      kv_pending INTEGER NOT NULL
    ) WITHOUT ROWID`);
  }

  /** Adds a client with its first secret; `undefined` if there is one of that name. */
  add(name: string): NewSecret | undefined {
    return this.#exists(name) ? undefined : this.#renew(name);
  }

  /** Gives a client a new secret and ends the one before; `undefined` if there is no such client. */
  rotate(name: string): NewSecret | undefined {
    return this.#exists(name) ? this.#renew(name) : undefined;
  }

  /** Takes a client's secret away; false if there is no such client. */
  revoke(name: string): boolean {
    const revision = this.#exists(name) ? this.#row(name)?.revision : undefined;
    if (revision === undefined) return false;
    this.#write(name, revision, revision + 1, []);
    return true;
  }

  /** Clients whose names come after `cursor`, in order, and the cursor of the next page where there is one. */
  list(cursor: string, limit: number): { clients: ClientInfo[]; cursor?: string } {
    const rows = this.#sql
      .exec<Row>("SELECT * FROM clients WHERE name > ? AND secrets != '[]' ORDER BY name LIMIT ?", cursor, limit + 1)
      .toArray();
    const clients = rows.slice(0, limit).map((row) => infoOf(row.name, row.changed_at, secretsOf(row)));
    const last = rows.length > limit ? clients.at(-1) : undefined;
    return last === undefined ? { clients } : { clients, cursor: last.name };
  }

  /** Whether the secret behind a new link stands, now. */
  accepts(name: string, credential: { readonly revision: number; readonly hash: string }): boolean {
    const row = this.#row(name);
    if (row === undefined || credential.revision < row.least_revision) return false;
    return secretsOf(row).some(({ revision, hash }) => revision === credential.revision && hash === credential.hash);
  }

  /** The least revision of a secret that may still be used. */
  leastRevision(name: string): number {
    return this.#row(name)?.least_revision ?? 0;
  }

  /** Writes a client's record to KV. Rejects when KV doesn't take it. */
  async copyToKv(name: string): Promise<void> {
    const row = this.#row(name);
    if (row !== undefined) await this.#copyToKv(row);
  }

  /** Whether KV lacks a change. */
  get isKvBehind(): boolean {
    return this.#sql.exec("SELECT 1 FROM clients WHERE kv_pending = 1 LIMIT 1").toArray().length > 0;
  }

  /** Writes to KV some of what is still to be written. False when KV didn't take all of that. */
  async syncToKv(): Promise<boolean> {
    const pending = this.#sql.exec<Row>("SELECT * FROM clients WHERE kv_pending = 1 LIMIT 100").toArray();
    const results = await Promise.allSettled(pending.map((row) => this.#copyToKv(row)));
    return results.every(({ status }) => status === "fulfilled");
  }

  async #copyToKv(row: Row): Promise<void> {
    const record: CredentialRecord = { version: 1, leastRevision: row.least_revision };
    await this.#kv.put(credentialKey(this.#realm, row.name), JSON.stringify(record));
    // Only if nothing changed while KV was written.
    this.#sql.exec(
      "UPDATE clients SET kv_pending = 0 WHERE name = ? AND revision = ? AND least_revision = ?",
      row.name,
      row.revision,
      row.least_revision,
    );
  }

  #renew(name: string): NewSecret {
    const revision = (this.#row(name)?.revision ?? 0) + 1;
    const { id, hash, text } = mintSecret(this.#pepper, this.#realm, name, revision);
    const secrets = [{ id, revision, hash }];
    const changedAt = this.#write(name, revision, revision, secrets);
    return { ...infoOf(name, changedAt, secrets), secret: text };
  }

  #write(name: string, revision: number, leastRevision: number, secrets: readonly StoredSecret[]): number {
    const changedAt = Date.now();
    this.#sql.exec(
      "INSERT OR REPLACE INTO clients VALUES (?, ?, ?, ?, ?, 1)",
      name,
      revision,
      leastRevision,
      JSON.stringify(secrets),
      changedAt,
    );
    return changedAt;
  }

  #exists(name: string): boolean {
    const row = this.#row(name);
    return row !== undefined && row.secrets !== "[]";
  }

  #row(name: string): Row | undefined {
    return this.#sql.exec<Row>("SELECT * FROM clients WHERE name = ?", name).toArray()[0];
  }
}

function secretsOf(row: Row): StoredSecret[] {
  // Written by this class only.
  return JSON.parse(row.secrets) as StoredSecret[];
}

function infoOf(name: string, changedAt: number, secrets: readonly StoredSecret[]): ClientInfo {
  const newest = secrets.at(-1);
  return {
    name,
    secretId: newest?.id ?? "",
    revision: newest?.revision ?? 0,
    changedAt: new Date(changedAt).toISOString(),
  };
}
