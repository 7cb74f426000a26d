import { type Invitation, routerLimits } from "@messagepasser/protocol";
import type { CredentialStore } from "./credential-store.ts";

/**
 * The sessions that came in by each invitation, in the object's own SQLite: all that the router stores about invitations,
 * and only until they expire.
 */
export class GuestStore {
  readonly #sql: SqlStorage;
  readonly #credentials: CredentialStore;

  constructor(sql: SqlStorage, credentials: CredentialStore) {
    this.#sql = sql;
    this.#credentials = credentials;
    sql.exec(`CREATE TABLE IF NOT EXISTS guests (
      host TEXT NOT NULL,
      nonce TEXT NOT NULL,
      session TEXT NOT NULL,
      expires_at INTEGER NOT NULL,
      PRIMARY KEY (host, nonce, session)
    ) WITHOUT ROWID`);
    sql.exec("CREATE INDEX IF NOT EXISTS guest_expiries ON guests (expires_at)");
  }

  /** Whether a guest may come in: its host's secret is valid, no client has its name, and its invitation has uses left. */
  wouldAdmit(name: string, session: string | undefined, invitation: Invitation): boolean {
    const { host, secretId, revision, nonce, uses } = invitation;
    if (!this.#credentials.isValid(host, { id: secretId, revision }) || this.#credentials.info(name) !== undefined)
      return false;
    const sessions = this.#sql
      .exec<{ session: string }>("SELECT session FROM guests WHERE host = ? AND nonce = ?", host, nonce)
      .toArray();
    if (sessions.some((known) => known.session === session)) return true;
    return sessions.length < uses && !this.#hasManyGuests(host);
  }

  #hasManyGuests(host: string): boolean {
    const { maxGuestSessions } = routerLimits;
    // Counts no further than it must.
    const { count } = this.#sql
      .exec<{ count: number }>(
        "SELECT COUNT(*) AS count FROM (SELECT 1 FROM guests WHERE host = ? LIMIT ?)",
        host,
        maxGuestSessions,
      )
      .one();
    return count >= maxGuestSessions;
  }

  /** Notes the session of a guest that came in. */
  noteSession(session: string, { host, nonce, expiresAtMs }: Invitation): void {
    this.#sql.exec("INSERT OR IGNORE INTO guests VALUES (?, ?, ?, ?)", host, nonce, session, expiresAtMs);
  }

  /** Forgets all guests of a client. */
  forget(host: string): void {
    this.#sql.exec("DELETE FROM guests WHERE host = ?", host);
  }

  /** Forgets some of the guests whose invitations have expired. */
  expire(): void {
    this.#sql.exec(
      `DELETE FROM guests WHERE (host, nonce, session) IN
        (SELECT host, nonce, session FROM guests WHERE expires_at <= ? LIMIT ?)`,
      Date.now(),
      routerLimits.maxGuestsPerAlarm,
    );
  }

  /** When the next invitation expires, in milliseconds since 1970; `undefined` for never. */
  get nextExpiryMs(): number | undefined {
    return this.#sql.exec<{ at: number | null }>("SELECT MIN(expires_at) AS at FROM guests").one().at ?? undefined;
  }
}
