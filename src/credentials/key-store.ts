import { routerLimits } from "@messagepasser/protocol";
import type { NewTokenKey, TokenKeyInfo } from "@messagepasser/protocol/admin";
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

interface KeyRow extends Record<string, SqlStorageValue> {
  readonly record: string;
}

interface RevocationRow extends Record<string, SqlStorageValue> {
  readonly name: string;
  readonly least_issued_at: number;
  readonly expires_at: number;
}

/** Where the number of changes to keys is stored, and the number of those that KV has. */
const [changesKey, copiedKey] = ["tokenKeyChanges", "tokenKeyChangesCopied"];

/** The keys of a realm's tokens and what of them is revoked, in the object's own SQLite: the truth, of which KV has a copy. */
export class KeyStore {
  readonly #storage: DurableObjectStorage;
  readonly #sql: SqlStorage;
  readonly #pepper: string;
  readonly #realm: string;

  constructor(storage: DurableObjectStorage, pepper: string, realm: string) {
    this.#storage = storage;
    this.#sql = storage.sql;
    this.#pepper = pepper;
    this.#realm = realm;
    this.#sql.exec("CREATE TABLE IF NOT EXISTS token_keys (id TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID");
    this.#sql.exec(`CREATE TABLE IF NOT EXISTS token_revocations (
      name TEXT PRIMARY KEY,
      least_issued_at INTEGER NOT NULL,
      expires_at INTEGER NOT NULL,
      kv_pending INTEGER NOT NULL
    ) WITHOUT ROWID`);
  }

  /** Adds a key, with its secret if the router makes it; `undefined` if the id is taken or the realm has too many keys. */
  add(terms: KeyTerms): NewTokenKey | undefined {
    const keys = this.all();
    if (keys.some(({ id }) => id === terms.id) || keys.length >= routerLimits.maxTokenKeys) return undefined;
    const key: TokenKey = { ...terms, revision: this.#noteChange(), leastIssuedAtS: 0, addedAtMs: Date.now() };
    this.#write(key);
    const { source } = key;
    if (source.kind !== "made") return infoOf(key);
    return { ...infoOf(key), secret: madeSecret(this.#pepper, this.#realm, source.nonce) };
  }

  /** Removes a key, and so ends its tokens; false if there is no such key. */
  remove(id: string): boolean {
    if (this.#key(id) === undefined) return false;
    this.#noteChange();
    this.#sql.exec("DELETE FROM token_keys WHERE id = ?", id);
    return true;
  }

  /** Revokes the tokens of a key, or of one holder, that were issued before a time in seconds; `undefined` for no such key. */
  revoke(id: string, leastIssuedAtS: number, name?: string): TokenKeyInfo | undefined {
    const key = this.#key(id);
    if (key === undefined) return undefined;
    if (name === undefined) {
      this.#noteChange();
      const revoked = { ...key, leastIssuedAtS: Math.max(leastIssuedAtS, key.leastIssuedAtS) };
      this.#write(revoked);
      return infoOf(revoked);
    }
    const expiresAtMs = (leastIssuedAtS + key.maxLifeS) * 1_000;
    this.#sql.exec("DELETE FROM token_revocations WHERE expires_at <= ?", Date.now());
    this.#sql.exec(
      `INSERT INTO token_revocations VALUES (?, ?, ?, 1) ON CONFLICT (name) DO UPDATE SET
        least_issued_at = MAX(least_issued_at, excluded.least_issued_at),
        expires_at = MAX(expires_at, excluded.expires_at), kv_pending = 1`,
      name,
      leastIssuedAtS,
      expiresAtMs,
    );
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

  /** Whether a token's key is there, and neither the key's tokens nor the holder's were revoked since it was issued. */
  isValid({ name, key: id, revision, issuedAtS }: IssuedToken): boolean {
    const key = this.#key(id);
    if (key?.revision !== revision || issuedAtS < key.leastIssuedAtS) return false;
    const [revocation] = this.#sql
      .exec<RevocationRow>("SELECT * FROM token_revocations WHERE name = ?", name)
      .toArray();
    return revocation === undefined || issuedAtS >= revocation.least_issued_at;
  }

  /** The number of the last change to keys if KV lacks it. */
  get uncopiedChange(): number | undefined {
    const changes = this.#number(changesKey);
    return changes === this.#number(copiedKey) ? undefined : changes;
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
      .map((row) => ({ name: row.name, leastIssuedAtS: row.least_issued_at, expiresAtMs: row.expires_at }));
  }

  /** KV has a revocation, which may not be the last one of its holder. */
  markRevocationCopied({ name, leastIssuedAtS }: Revocation): void {
    this.#sql.exec(
      "UPDATE token_revocations SET kv_pending = 0 WHERE name = ? AND least_issued_at = ?",
      name,
      leastIssuedAtS,
    );
  }

  /** @returns the number of the change, from 1 */
  #noteChange(): number {
    const change = this.#number(changesKey) + 1;
    this.#storage.kv.put(changesKey, change);
    return change;
  }

  #number(key: string): number {
    return this.#storage.kv.get<number>(key) ?? 0;
  }

  #write(key: TokenKey): void {
    this.#sql.exec("INSERT OR REPLACE INTO token_keys VALUES (?, ?)", key.id, JSON.stringify(key));
  }

  #key(id: string): TokenKey | undefined {
    return this.#sql.exec<KeyRow>("SELECT record FROM token_keys WHERE id = ?", id).toArray().map(keyIn)[0];
  }
}

function keyIn({ record }: KeyRow): TokenKey {
  // Only this class writes the column.
  return JSON.parse(record) as TokenKey;
}
