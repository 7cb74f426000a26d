import { routerLimits } from "@messagepasser/protocol";
import type { ClientInfo, ClientPage, NewSecret, SecretInfo } from "@messagepasser/protocol/admin";
import { mintSecret, type Secret } from "./secret.ts";

/** What is stored about a secret; see secret.ts. */
interface StoredSecret extends Omit<Secret, "text"> {
  /** Milliseconds since 1970; absent for a secret that doesn't expire. */
  readonly expiresAtMs?: number;
}

/** How long a new secret is valid, and the one before beside it. */
export interface Validity {
  /** When the new secret expires, in milliseconds since 1970. Default: never. */
  readonly expiresAtMs?: number | undefined;
  /** For how many milliseconds the secret before stays valid. Default: 0. */
  readonly overlapMs?: number | undefined;
}

/** A change that KV may lack. */
interface Change {
  readonly name: string;
  readonly revision: number;
  readonly leastRevision: number;
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

/** The realm's credentials, in the object's own SQLite: the truth, of which KV has a copy (kv-records.ts). */
export class CredentialStore {
  readonly #sql: SqlStorage;
  readonly #pepper: string;
  readonly #realm: string;

  constructor(sql: SqlStorage, pepper: string, realm: string) {
    this.#sql = sql;
    this.#pepper = pepper;
    this.#realm = realm;
    // A revoked client's row stays, without secrets, so that its revisions never restart.
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
    sql.exec("CREATE INDEX IF NOT EXISTS expiries ON clients (next_expiry) WHERE next_expiry IS NOT NULL");
  }

  /** Adds a client with its first secret; `undefined` if the name is taken. */
  add(name: string, validity: Validity = {}): NewSecret | undefined {
    return this.#client(name) === undefined ? this.#renew(name, [], validity) : undefined;
  }

  /** Gives a client a new secret, and ends the one before now or after an overlap; `undefined` for no such client. */
  rotate(name: string, validity: Validity = {}): NewSecret | undefined {
    const row = this.#client(name);
    if (row === undefined) return undefined;
    const { overlapMs = 0 } = validity;
    const newest = validSecrets(row).at(-1);
    if (overlapMs === 0 || newest === undefined) return this.#renew(name, [], validity);
    const expiresAtMs = Math.min(newest.expiresAtMs ?? Infinity, Date.now() + overlapMs);
    return this.#renew(name, [{ ...newest, expiresAtMs }], validity);
  }

  /** Ends a client's secrets; false if there is no such client. */
  revoke(name: string): boolean {
    const row = this.#client(name);
    if (row === undefined) return false;
    const { revision } = row;
    this.#write({ name, revision, leastRevision: revision + 1 }, { secrets: [], isDisabled: false });
    return true;
  }

  /** Disables or enables a client, whose secret stays the same; `undefined` for no such client. */
  setDisabled(name: string, isDisabled: boolean): ClientInfo | undefined {
    if (this.#client(name) === undefined) return undefined;
    // Not copied to KV, where an old copy would keep the client out for a minute after it was enabled.
    this.#sql.exec(
      "UPDATE clients SET is_disabled = ?, changed_at = ? WHERE name = ?",
      Number(isDisabled),
      Date.now(),
      name,
    );
    return this.info(name);
  }

  /** A client, or `undefined` if there is none of this name. */
  info(name: string): ClientInfo | undefined {
    const row = this.#client(name);
    return row && infoOf(row);
  }

  /** A page of the clients whose names come after `cursor`, in order. */
  list(cursor: string, limit: number): ClientPage {
    const rows = this.#sql
      .exec<Row>("SELECT * FROM clients WHERE name > ? AND secrets != '[]' ORDER BY name LIMIT ?", cursor, limit + 1)
      .toArray();
    const clients = rows.slice(0, limit).map(infoOf);
    const last = rows.length > limit ? clients.at(-1) : undefined;
    return last === undefined ? { clients } : { clients, cursor: last.name };
  }

  /** Notes that a client's secret was used. */
  noteUse(name: string): void {
    const hour = Math.floor(Date.now() / routerLimits.lastUsePrecisionMs) * routerLimits.lastUsePrecisionMs;
    this.#sql.exec("UPDATE clients SET used_at = ? WHERE name = ? AND used_at < ?", hour, name, hour);
  }

  /** Whether a client is enabled and has a valid secret like this: the same revision, and the same id and hash where given. */
  isValid(name: string, { revision, id, hash }: Partial<Secret> & Pick<Secret, "revision">): boolean {
    const row = this.#row(name);
    if (row === undefined || row.is_disabled === 1) return false;
    const secret = validSecrets(row).find((each) => each.revision === revision);
    return secret !== undefined && (id ?? secret.id) === secret.id && (hash ?? secret.hash) === secret.hash;
  }

  /** When the next secret expires, in milliseconds since 1970; `undefined` for never. */
  get nextExpiryMs(): number | undefined {
    return this.#sql.exec<{ at: number | null }>("SELECT MIN(next_expiry) AS at FROM clients").one().at ?? undefined;
  }

  /** Forgets secrets that have expired. @returns the clients whose links may have to end */
  expire(): string[] {
    const rows = this.#sql
      .exec<Row>("SELECT * FROM clients WHERE next_expiry <= ? LIMIT ?", Date.now(), routerLimits.maxRowsPerAlarm)
      .toArray();
    for (const row of rows) {
      // The newest secret stays, so that the client's owner sees that it has expired.
      const secrets = secretsOf(row).filter((secret) => secret.revision === row.revision || !hasExpired(secret));
      this.#sql.exec(
        "UPDATE clients SET secrets = ?, least_revision = ?, kv_pending = 1, next_expiry = ? WHERE name = ?",
        JSON.stringify(secrets),
        validSecrets(row)[0]?.revision ?? row.revision + 1,
        nextExpiryOf(secrets),
        row.name,
      );
    }
    return rows.map(({ name }) => name);
  }

  /** Some of the changes that are not copied to KV yet, or the change of one client. */
  uncopied(name?: string): Change[] {
    const rows =
      name === undefined
        ? this.#sql.exec<Row>("SELECT * FROM clients WHERE kv_pending = 1 LIMIT ?", routerLimits.maxRowsPerAlarm)
        : this.#sql.exec<Row>("SELECT * FROM clients WHERE kv_pending = 1 AND name = ?", name);
    return rows.toArray().map((row) => ({ name: row.name, revision: row.revision, leastRevision: row.least_revision }));
  }

  /** KV has a change, which may not be the last one of its client. */
  markCopied({ name, revision, leastRevision }: Change): void {
    this.#sql.exec(
      "UPDATE clients SET kv_pending = 0 WHERE name = ? AND revision = ? AND least_revision = ?",
      name,
      revision,
      leastRevision,
    );
  }

  #renew(name: string, kept: readonly StoredSecret[], { expiresAtMs }: Validity): NewSecret {
    const revision = (this.#row(name)?.revision ?? 0) + 1;
    const { text, ...stored } = mintSecret(this.#pepper, this.#realm, name, revision);
    const secrets = [...kept, { ...stored, ...(expiresAtMs !== undefined && { expiresAtMs }) }];
    const isDisabled = this.#client(name)?.is_disabled === 1;
    const change = { name, revision, leastRevision: kept[0]?.revision ?? revision };
    return { ...infoOf(this.#write(change, { secrets, isDisabled })), secret: text };
  }

  #write(
    { name, revision, leastRevision }: Change,
    { secrets, isDisabled }: { readonly secrets: readonly StoredSecret[]; readonly isDisabled: boolean },
  ): Row {
    return this.#sql
      .exec<Row>(
        "INSERT OR REPLACE INTO clients VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?) RETURNING *",
        name,
        revision,
        leastRevision,
        JSON.stringify(secrets),
        Date.now(),
        this.#client(name)?.used_at ?? 0,
        Number(isDisabled),
        nextExpiryOf(secrets),
      )
      .one();
  }

  /** The row of a client that is not revoked. */
  #client(name: string): Row | undefined {
    const row = this.#row(name);
    return row?.secrets === "[]" ? undefined : row;
  }

  #row(name: string): Row | undefined {
    return this.#sql.exec<Row>("SELECT * FROM clients WHERE name = ?", name).toArray()[0];
  }
}

function secretsOf(row: Row): StoredSecret[] {
  // Only this class writes the column.
  return JSON.parse(row.secrets) as StoredSecret[];
}

function hasExpired({ expiresAtMs = Infinity }: StoredSecret): boolean {
  return expiresAtMs <= Date.now();
}

/** A client's valid secrets, the newest last. */
function validSecrets(row: Row): StoredSecret[] {
  return secretsOf(row).filter((secret) => !hasExpired(secret));
}

function nextExpiryOf(secrets: readonly StoredSecret[]): number | null {
  const times = secrets.filter((secret) => !hasExpired(secret)).map(({ expiresAtMs = Infinity }) => expiresAtMs);
  const next = Math.min(...times);
  return Number.isFinite(next) ? next : null;
}

function infoOf(row: Row): ClientInfo {
  const previous = validSecrets(row).find(({ revision }) => revision < row.revision);
  return {
    name: row.name,
    ...secretInfoOf(secretsOf(row).at(-1)),
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
