import { routerLimits } from "@messagepasser/protocol";
import type { NewTokenKey, TokenKeyInfo } from "@messagepasser/protocol/admin";
import { SharedVersion } from "../realm/shared-version.ts";
import { infoOf, madeSecret, type TokenKey } from "./token-key.ts";

/** What an owner says about a new key. */
export type KeyTerms = Pick<TokenKey, "id" | "algorithm" | "source" | "audiences" | "maxLifeS">;

/** What identifies a token here. */
export interface IssuedToken {
  readonly name: string;
  readonly key: string;
  /** The key's. */
  readonly revision: number;
  /** Seconds since 1970. */
  readonly issuedAtS: number;
}

/** A revocation that KV may lack. */
export interface Revocation {
  readonly name: string;
  readonly leastIssuedAtS: number;
  /** Milliseconds since 1970: then all tokens that were revoked have expired. */
  readonly expiresAtMs: number;
}

/** A revocation with the version of its last change, of those that `SharedVersion` counts. */
export interface StampedRevocation extends Revocation {
  readonly changedAt: number;
}

interface KeyRow extends Record<string, SqlStorageValue> {
  readonly record: string;
}

interface RevocationRow extends Record<string, SqlStorageValue> {
  readonly name: string;
  readonly least_issued_at: number;
  readonly expires_at: number;
  readonly changed_at: number;
}

/** Where the version of the last change to keys is stored, and that of the last one that KV has. */
const [changedKey, copiedKey] = ["tokenKeysChanged", "tokenKeysCopied"];

/**
 * The keys of a realm's tokens and what of them is revoked, in the object's own SQLite. The first shard of a realm has the
 * truth. The other shards and KV have copies.
 */
export class KeyStore {
  readonly #storage: DurableObjectStorage;
  readonly #version: SharedVersion;
  readonly #sql: SqlStorage;
  readonly #pepper: string;
  readonly #realm: string;

  constructor(storage: DurableObjectStorage, pepper: string, realm: string) {
    this.#storage = storage;
    this.#version = new SharedVersion(storage.kv);
    this.#sql = storage.sql;
    this.#pepper = pepper;
    this.#realm = realm;
    this.#sql.exec("CREATE TABLE IF NOT EXISTS token_keys (id TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID");
    this.#sql.exec(`CREATE TABLE IF NOT EXISTS token_revocations (
      name TEXT PRIMARY KEY,
      least_issued_at INTEGER NOT NULL,
      expires_at INTEGER NOT NULL,
      kv_pending INTEGER NOT NULL,
      changed_at INTEGER NOT NULL
    ) WITHOUT ROWID`);
  }

  /** Adds a key, with its secret if the router makes it; `undefined` if the id is taken or the realm has too many keys. */
  add(terms: KeyTerms): NewTokenKey | undefined {
    const keys = this.all();
    if (keys.some(({ id }) => id === terms.id) || keys.length >= routerLimits.maxTokenKeys) return undefined;
    const key: TokenKey = { ...terms, revision: this.noteChange(), leastIssuedAtS: 0, addedAtMs: Date.now() };
    this.#writeKey(key);
    const { source } = key;
    if (source.kind !== "made") return infoOf(key);
    return { ...infoOf(key), secret: madeSecret(this.#pepper, this.#realm, source.nonce) };
  }

  /** Removes a key, and so ends its tokens; false if there is no such key. */
  remove(id: string): boolean {
    if (this.#key(id) === undefined) return false;
    this.noteChange();
    this.#sql.exec("DELETE FROM token_keys WHERE id = ?", id);
    return true;
  }

  /** Revokes the tokens of a key, or of one holder, that were issued before a time in seconds; `undefined` for no such key. */
  revoke(id: string, leastIssuedAtS: number, name?: string): TokenKeyInfo | undefined {
    const key = this.#key(id);
    if (key === undefined) return undefined;
    if (name === undefined) {
      this.noteChange();
      const revoked = { ...key, leastIssuedAtS: Math.max(leastIssuedAtS, key.leastIssuedAtS) };
      this.#writeKey(revoked);
      return infoOf(revoked);
    }
    const expiresAtMs = (leastIssuedAtS + key.maxLifeS) * 1_000;
    this.#forgetExpired();
    this.#write({ name, leastIssuedAtS, expiresAtMs, changedAt: this.#version.next() }, true);
    return infoOf(key);
  }

  /** All keys, in the order of their ids. */
  all(): TokenKey[] {
    const rows = this.#sql.exec<KeyRow>("SELECT record FROM token_keys ORDER BY id").toArray();
    return rows.map(keyIn);
  }

  list(): TokenKeyInfo[] {
    return this.all().map(infoOf);
  }

  /** Whether this shard was not told of a token's key yet. */
  isBehind({ revision }: Pick<IssuedToken, "revision">): boolean {
    return revision > this.changedAt;
  }

  /** Whether a token's key is there, and neither the key's tokens nor the holder's were revoked since it was issued. */
  isValid({ name, key: id, revision, issuedAtS }: IssuedToken): boolean {
    const key = this.#key(id);
    if (key?.revision !== revision || issuedAtS < key.leastIssuedAtS) return false;
    const [revocation] = this.#sql
      .exec<RevocationRow>("SELECT * FROM token_revocations WHERE name = ?", name)
      .toArray();
    return revocation === undefined || issuedAtS >= revocation.least_issued_at;
  }

  /** The version of the last change to keys. */
  get changedAt(): number {
    return this.#number(changedKey);
  }

  /** The first revocations that were changed after a version, in the order of their changes. */
  revocationsAfter(version: number, limit: number): StampedRevocation[] {
    const query = "SELECT * FROM token_revocations WHERE changed_at > ? ORDER BY changed_at LIMIT ?";
    return this.#sql.exec<RevocationRow>(query, version, limit).toArray().map(revocationIn);
  }

  /** Takes the keys as the first shard has them, which copies them to KV. @param changedAt the version of their last change */
  adopt(keys: readonly TokenKey[], changedAt: number): void {
    this.#sql.exec("DELETE FROM token_keys");
    for (const key of keys) this.#writeKey(key);
    for (const each of [changedKey, copiedKey]) this.#storage.kv.put(each, changedAt);
  }

  /** Takes revocations of the first shard. */
  adoptRevocations(revocations: readonly StampedRevocation[]): void {
    this.#forgetExpired();
    for (const revocation of revocations) this.#write(revocation, false);
  }

  /** Raises the versions of all revocations. */
  raise(by: number): void {
    this.#sql.exec("UPDATE token_revocations SET changed_at = changed_at + ?", by);
  }

  /** The version of the last change to keys if KV lacks it. */
  get uncopiedChange(): number | undefined {
    const { changedAt } = this;
    return changedAt === this.#number(copiedKey) ? undefined : changedAt;
  }

  /** KV has the keys as they were after a change. */
  markKeysCopied(change: number): void {
    this.#storage.kv.put(copiedKey, change);
  }

  /** Some of the revocations that are not copied to KV yet. */
  uncopiedRevocations(): Revocation[] {
    return this.#sql
      .exec<RevocationRow>("SELECT * FROM token_revocations WHERE kv_pending = 1 LIMIT ?", routerLimits.maxRowsPerAlarm)
      .toArray()
      .map(revocationIn);
  }

  /** KV has a revocation, which may not be the last one of its holder. */
  markRevocationCopied({ name, leastIssuedAtS }: Revocation): void {
    this.#sql.exec(
      "UPDATE token_revocations SET kv_pending = 0 WHERE name = ? AND least_issued_at = ?",
      name,
      leastIssuedAtS,
    );
  }

  /** @returns the version of the change, from 1 */
  noteChange(): number {
    const version = this.#version.next();
    this.#storage.kv.put(changedKey, version);
    return version;
  }

  #number(key: string): number {
    return this.#storage.kv.get<number>(key) ?? 0;
  }

  #forgetExpired(): void {
    this.#sql.exec("DELETE FROM token_revocations WHERE expires_at <= ?", Date.now());
  }

  #write({ name, leastIssuedAtS, expiresAtMs, changedAt }: StampedRevocation, isForKv: boolean): void {
    this.#sql.exec(
      `INSERT INTO token_revocations VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET
        least_issued_at = MAX(least_issued_at, excluded.least_issued_at),
        expires_at = MAX(expires_at, excluded.expires_at),
        kv_pending = excluded.kv_pending, changed_at = excluded.changed_at`,
      name,
      leastIssuedAtS,
      expiresAtMs,
      Number(isForKv),
      changedAt,
    );
  }

  #writeKey(key: TokenKey): void {
    this.#sql.exec("INSERT OR REPLACE INTO token_keys VALUES (?, ?)", key.id, JSON.stringify(key));
  }

  #key(id: string): TokenKey | undefined {
    return this.#sql.exec<KeyRow>("SELECT record FROM token_keys WHERE id = ?", id).toArray().map(keyIn)[0];
  }
}

function revocationIn(row: RevocationRow): StampedRevocation {
  return {
    name: row.name,
    leastIssuedAtS: row.least_issued_at,
    expiresAtMs: row.expires_at,
    changedAt: row.changed_at,
  };
}

function keyIn({ record }: KeyRow): TokenKey {
  // Only this class writes the column.
  return JSON.parse(record) as TokenKey;
}
