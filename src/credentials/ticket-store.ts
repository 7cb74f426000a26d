import type { Admission } from "../realm/admission.ts";

/** The tickets that were used, in the object's own SQLite, each until it expires. */
export class TicketStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    // The expiry comes first in the key, so that expired rows are found without a second index.
    sql.exec(`CREATE TABLE IF NOT EXISTS tickets (
      expires_at INTEGER NOT NULL,
      id TEXT NOT NULL,
      PRIMARY KEY (expires_at, id)
    ) WITHOUT ROWID`);
  }

  /** Uses a ticket. @returns false if it was used before or has expired */
  use({ id, expiresAtMs }: NonNullable<Admission["ticket"]>): boolean {
    const nowMs = Date.now();
    this.#sql.exec("DELETE FROM tickets WHERE expires_at <= ?", nowMs);
    if (expiresAtMs <= nowMs) return false;
    const added = this.#sql.exec("INSERT OR IGNORE INTO tickets VALUES (?, ?) RETURNING id", expiresAtMs, id);
    return added.toArray().length > 0;
  }
}
