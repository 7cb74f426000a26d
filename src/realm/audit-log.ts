import { routerLimits } from "@messagepasser/protocol";
import type { AuditEntry } from "@messagepasser/protocol/admin";

interface Row extends Record<string, SqlStorageValue> {
  readonly id: number;
  readonly at: number;
  readonly who: string;
  readonly what: string;
  readonly name: string;
}

/** The audit trail of a realm: each change of its administrators, in the object's own SQLite. */
export class AuditLog {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec(`CREATE TABLE IF NOT EXISTS audit (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      at INTEGER NOT NULL,
      who TEXT NOT NULL,
      what TEXT NOT NULL,
      name TEXT NOT NULL
    )`);
  }

  add(who: string, what: string, name: string): void {
    const { id } = this.#sql
      .exec<{ id: number }>(
        "INSERT INTO audit (at, who, what, name) VALUES (?, ?, ?, ?) RETURNING id",
        Date.now(),
        who,
        what,
        name,
      )
      .one();
    this.#sql.exec("DELETE FROM audit WHERE id <= ?", id - routerLimits.maxAuditEntries);
  }

  /** Entries older than one, the newest first. @param before an entry's id, or Infinity to begin with the newest */
  page(before: number, limit: number): AuditEntry[] {
    return this.#sql
      .exec<Row>(
        "SELECT * FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?",
        Math.min(before, Number.MAX_SAFE_INTEGER),
        limit,
      )
      .toArray()
      .map(({ id, at, who, what, name }) => ({ id, at: new Date(at).toISOString(), who, what, name }));
  }
}
