import type { Invitation } from "@messagepasser/protocol";
import { type CredentialRecord, credentialKey } from "./kv-records.ts";
import { mintSecret } from "./secret.ts";

/** What is stored of a secret; see secret.ts. */
interface StoredSecret {
  readonly id: string;
  readonly revision: number;
  readonly hash: string;
  /** Milliseconds since 1970; absent for one that lasts. */
  readonly expiresAtMs?: number;
}

/** A secret as the admin API shows it: nothing in it is secret. */
export interface SecretInfo {
  /** The id that it begins with, once decoded. */
  readonly secretId: string;
  readonly revision: number;
  /** ISO 8601; `null` for one that lasts. */
  readonly expiresAt: string | null;
}

/** A client as the admin API shows it. */
export interface ClientInfo extends SecretInfo {
  readonly name: string;
  /** ISO 8601. */
  readonly changedAt: string;
  /** To the hour, ISO 8601; `null` for one that was never used. */
  readonly lastUsedAt: string | null;
  readonly isDisabled: boolean;
  /** The secret before the newest one, while it still stands. */
  readonly previous: SecretInfo | null;
}

/** A client with the secret that was just made for it: the only time that it is seen. */
export interface NewSecret extends ClientInfo {
  readonly secret: string;
}

export interface SecretTimes {
  /** When the new secret expires, in milliseconds since 1970. */
  readonly expiresAtMs?: number | undefined;
  /** For how long the secret before stands beside it. */
  readonly overlapMs?: number | undefined;
}

interface Row extends Record<string, SqlStorageValue> {
  readonly name: string;
  readonly revision: number;
  readonly least_revision: number;
  readonly secrets: string;
  readonly changed_at: number;
  readonly used_at: number;
  readonly is_disabled: number;
}

/** How exactly the last use is known: a write for each would cost more than it tells. */
const usedEveryMs = 3_600_000;

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
      kv_pending INTEGER NOT NULL,
      used_at INTEGER NOT NULL,
      is_disabled INTEGER NOT NULL,
      next_expiry INTEGER
    ) WITHOUT ROWID`);
    addColumns(sql);
    sql.exec("CREATE INDEX IF NOT EXISTS expiries ON clients (next_expiry) WHERE next_expiry IS NOT NULL");
    // By invitation: the sessions that came in by it. All that is kept of invitations, until they expire.
    sql.exec(`CREATE TABLE IF NOT EXISTS guests (
      host TEXT NOT NULL,
      nonce TEXT NOT NULL,
      session TEXT NOT NULL,
      expires_at INTEGER NOT NULL,
      PRIMARY KEY (host, nonce, session)
    ) WITHOUT ROWID`);
  }

  /** Adds a client with its first secret; `undefined` if there is one of that name. */
  add(name: string, times: SecretTimes = {}): NewSecret | undefined {
    return this.#exists(name) ? undefined : this.#renew(name, [], times);
  }

  /** Gives a client a new secret and ends the one before, now or after an overlap; `undefined` if there is no such client. */
  rotate(name: string, times: SecretTimes = {}): NewSecret | undefined {
    const row = this.#row(name);
    if (row === undefined || row.secrets === "[]") return undefined;
    const { overlapMs = 0 } = times;
    const newest = standing(row).at(-1);
    if (overlapMs === 0 || newest === undefined) return this.#renew(name, [], times);
    const expiresAtMs = Math.min(newest.expiresAtMs ?? Infinity, Date.now() + overlapMs);
    return this.#renew(name, [{ ...newest, expiresAtMs }], times);
  }

  /** Takes a client's secrets away; false if there is no such client. */
  revoke(name: string): boolean {
    const row = this.#row(name);
    if (row === undefined || row.secrets === "[]") return false;
    this.#write(name, row.revision, row.revision + 1, [], false);
    this.#sql.exec("DELETE FROM guests WHERE host = ?", name);
    return true;
  }

  /** Keeps a client out, or lets it in again with the secret that it has; `undefined` if there is no such client. */
  setDisabled(name: string, isDisabled: boolean): ClientInfo | undefined {
    const row = this.#row(name);
    if (row === undefined || row.secrets === "[]") return undefined;
    // KV isn't told: what it once knew would keep a client out for a minute after it was let in again.
    this.#sql.exec(
      "UPDATE clients SET is_disabled = ?, changed_at = ? WHERE name = ?",
      Number(isDisabled),
      Date.now(),
      name,
    );
    return this.info(name);
  }

  /** A client, if there is one. */
  info(name: string): ClientInfo | undefined {
    const row = this.#row(name);
    return row === undefined || row.secrets === "[]" ? undefined : infoOf(row);
  }

  /** Clients whose names come after `cursor`, in order, and the cursor of the next page where there is one. */
  list(cursor: string, limit: number): { clients: ClientInfo[]; cursor?: string } {
    const rows = this.#sql
      .exec<Row>("SELECT * FROM clients WHERE name > ? AND secrets != '[]' ORDER BY name LIMIT ?", cursor, limit + 1)
      .toArray();
    const clients = rows.slice(0, limit).map(infoOf);
    const last = rows.length > limit ? clients.at(-1) : undefined;
    return last === undefined ? { clients } : { clients, cursor: last.name };
  }

  /** Whether the secret behind a new link stands, now. */
  admit(name: string, credential: { readonly revision: number; readonly hash: string }): boolean {
    const row = this.#row(name);
    if (row === undefined || row.is_disabled === 1) return false;
    const isGood = standing(row).some(
      ({ revision, hash }) => revision === credential.revision && hash === credential.hash,
    );
    if (isGood && Date.now() - row.used_at >= usedEveryMs) {
      const hour = Math.floor(Date.now() / usedEveryMs) * usedEveryMs;
      this.#sql.exec("UPDATE clients SET used_at = ? WHERE name = ?", hour, name);
    }
    return isGood;
  }

  /** Whether a guest may come in: its host's secret stands, its name is nobody else's, and it is one of so many sessions. */
  admitGuest(name: string, session: string, invitation: Invitation): boolean {
    const { host, secretId, revision, nonce, uses, expiresAtMs } = invitation;
    const row = this.#row(host);
    if (row === undefined || !this.stands(host, revision) || this.#exists(name)) return false;
    if (!standing(row).some(({ id }) => id === secretId)) return false;
    const sessions = this.#sql
      .exec<{ session: string }>("SELECT session FROM guests WHERE host = ? AND nonce = ?", host, nonce)
      .toArray();
    if (sessions.some((known) => known.session === session)) return true;
    if (sessions.length >= uses) return false;
    this.#sql.exec("INSERT INTO guests VALUES (?, ?, ?, ?)", host, nonce, session, expiresAtMs);
    return true;
  }

  /** Whether a link that was opened with a secret of this revision may go on. */
  stands(name: string, revision: number): boolean {
    const row = this.#row(name);
    return row?.is_disabled === 0 && standing(row).some((secret) => secret.revision === revision);
  }

  /** When the next secret expires, or the next invitation can be forgotten; `undefined` if none does. */
  get nextExpiryMs(): number | undefined {
    const row = this.#sql
      .exec<{ at: number | null }>(
        "SELECT MIN(at) AS at FROM (SELECT MIN(next_expiry) AS at FROM clients UNION ALL SELECT MIN(expires_at) FROM guests)",
      )
      .one();
    return row.at ?? undefined;
  }

  /** Forgets what has expired, and returns the clients whose links may have to end. */
  expire(): string[] {
    const nowMs = Date.now();
    this.#sql.exec("DELETE FROM guests WHERE expires_at <= ?", nowMs);
    const rows = this.#sql.exec<Row>("SELECT * FROM clients WHERE next_expiry <= ? LIMIT 100", nowMs).toArray();
    for (const row of rows) {
      // The newest stays, so that its owner sees what has become of it.
      const secrets = secretsOf(row).filter((secret) => secret.revision === row.revision || !hasExpired(secret));
      const least = standing(row)[0]?.revision ?? row.revision + 1;
      this.#sql.exec(
        "UPDATE clients SET secrets = ?, least_revision = ?, kv_pending = 1, next_expiry = ? WHERE name = ?",
        JSON.stringify(secrets),
        least,
        nextExpiryOf(secrets),
        row.name,
      );
    }
    return rows.map(({ name }) => name);
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

  #renew(name: string, kept: readonly StoredSecret[], { expiresAtMs }: SecretTimes): NewSecret {
    const row = this.#row(name);
    const revision = (row?.revision ?? 0) + 1;
    const { id, hash, text } = mintSecret(this.#pepper, this.#realm, name, revision);
    const secrets = [...kept, { id, revision, hash, ...(expiresAtMs !== undefined && { expiresAtMs }) }];
    const isDisabled = row?.is_disabled === 1 && row.secrets !== "[]";
    const written = this.#write(name, revision, kept[0]?.revision ?? revision, secrets, isDisabled);
    return { ...infoOf(written), secret: text };
  }

  #write(
    name: string,
    revision: number,
    leastRevision: number,
    secrets: readonly StoredSecret[],
    isDisabled: boolean,
  ): Row {
    return this.#sql
      .exec<Row>(
        "INSERT OR REPLACE INTO clients VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?) RETURNING *",
        name,
        revision,
        leastRevision,
        JSON.stringify(secrets),
        Date.now(),
        this.#exists(name) ? (this.#row(name)?.used_at ?? 0) : 0,
        Number(isDisabled),
        nextExpiryOf(secrets),
      )
      .one();
  }

  #exists(name: string): boolean {
    const row = this.#row(name);
    return row !== undefined && row.secrets !== "[]";
  }

  #row(name: string): Row | undefined {
    return this.#sql.exec<Row>("SELECT * FROM clients WHERE name = ?", name).toArray()[0];
  }
}

/** A realm of before has a table without some columns. */
function addColumns(sql: SqlStorage): void {
  const known = new Set(
    sql
      .exec<{ name: string }>("SELECT name FROM pragma_table_info('clients')")
      .toArray()
      .map(({ name }) => name),
  );
  if (known.has("next_expiry")) return;
  for (const column of [
    "used_at INTEGER NOT NULL DEFAULT 0",
    "is_disabled INTEGER NOT NULL DEFAULT 0",
    "next_expiry INTEGER",
  ])
    sql.exec(`ALTER TABLE clients ADD COLUMN ${column}`);
}

function secretsOf(row: Row): StoredSecret[] {
  // Written by this class only.
  return JSON.parse(row.secrets) as StoredSecret[];
}

function hasExpired({ expiresAtMs = Infinity }: StoredSecret): boolean {
  return expiresAtMs <= Date.now();
}

/** A client's secrets that may be used, the newest last. */
function standing(row: Row): StoredSecret[] {
  return secretsOf(row).filter((secret) => !hasExpired(secret));
}

function nextExpiryOf(secrets: readonly StoredSecret[]): number | null {
  const times = secrets.filter((secret) => !hasExpired(secret)).map(({ expiresAtMs = Infinity }) => expiresAtMs);
  const next = Math.min(...times);
  return Number.isFinite(next) ? next : null;
}

function infoOf(row: Row): ClientInfo {
  const secrets = secretsOf(row);
  const previous = standing(row).find(({ revision }) => revision < row.revision);
  return {
    name: row.name,
    ...secretInfoOf(secrets.at(-1)),
    previous: previous === undefined ? null : secretInfoOf(previous),
    changedAt: timeOf(row.changed_at),
    lastUsedAt: row.used_at === 0 ? null : timeOf(row.used_at),
    isDisabled: row.is_disabled === 1,
  };
}

function secretInfoOf(secret: StoredSecret | undefined): SecretInfo {
  const { id = "", revision = 0, expiresAtMs } = secret ?? {};
  return { secretId: id, revision, expiresAt: expiresAtMs === undefined ? null : timeOf(expiresAtMs) };
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}
