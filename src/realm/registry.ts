import { CredentialStore } from "../credentials/credential-store.ts";
import { GuestStore } from "../credentials/guest-store.ts";
import { KeyStore } from "../credentials/key-store.ts";
import { KvCopier } from "../credentials/kv-records.ts";
import { NamedRows } from "../credentials/named-rows.ts";
import { TicketStore } from "../credentials/ticket-store.ts";
import type { Env } from "../env.ts";
import type { Admission } from "./admission.ts";
import { Alarms } from "./alarms.ts";
import { AuditLog } from "./audit-log.ts";
import type { RuleStore } from "./rule-store.ts";
import { SharedStore } from "./shared-store.ts";
import { Sharing, tellerOf } from "./sharing.ts";
import type { SocketLink } from "./socket-link.ts";

/** What else of the object the registry needs. */
interface RegistryStart {
  /** Opened when they are needed. */
  rules(): RuleStore;
  /** When to look next at what is open, as for tokens that expire, in milliseconds since 1970. */
  nextCheckMs(): number | undefined;
}

/** Which clients and guests a realm has, and which of them may have a link: the object's own stores, and KV's copy. */
export class Registry {
  readonly credentials: CredentialStore;
  readonly guests: GuestStore;
  /** Keys of tokens. */
  readonly keys: KeyStore;
  readonly audit: AuditLog;
  /** What of all this is stored by the name of a client. */
  readonly rows: NamedRows;
  readonly alarms: Alarms;
  /** What this shard and the others have in common. */
  readonly shared: SharedStore;
  readonly sharing: Sharing;
  readonly #tickets: TicketStore;
  readonly #start: RegistryStart;

  constructor(storage: DurableObjectStorage, env: Env, realm: string, start: RegistryStart) {
    const { CREDENTIALS, MP_PEPPER } = env;
    this.#start = start;
    this.credentials = new CredentialStore(storage.sql, MP_PEPPER ?? "", realm);
    this.guests = new GuestStore(storage.sql, this.credentials);
    this.audit = new AuditLog(storage.sql);
    this.#tickets = new TicketStore(storage.sql);
    this.keys = new KeyStore(storage, MP_PEPPER ?? "", realm);
    this.rows = new NamedRows(storage.sql);
    this.shared = new SharedStore(storage, this.keys, () => start.rules());
    this.sharing = new Sharing(storage.kv, this.shared, tellerOf(env, realm));
    const copies = { kvAttempts: new KvCopier(CREDENTIALS, realm, this), shardAttempts: this.sharing };
    this.alarms = new Alarms(storage, copies, () => this.#nextExpiryMs);
  }

  /** Whether the key of a token may have been added at the first shard, which has not told this one yet. */
  isBehind({ token }: Admission): boolean {
    return token !== undefined && this.keys.isBehind(token);
  }

  /** Whether a new link could be opened now. The edge has checked the admission against KV, which may lag: this is the truth. */
  wouldAdmit({ name, credential, invitation, token }: Admission, session: string | undefined): boolean {
    if (token !== undefined) return token.expiresAtMs > Date.now() && this.keys.isValid({ name, ...token });
    if (credential !== undefined) return this.credentials.isValid(name, credential);
    return invitation === undefined || this.guests.wouldAdmit(name, session, invitation);
  }

  /**
   * Notes the use of secret, invitation, token and ticket for a link that is about to be opened.
   *
   * @returns false if the ticket was used before or has expired.
   */
  noteUse({ name, credential, invitation, token, ticket }: Admission, session: string): boolean {
    if (ticket !== undefined && !this.#tickets.use(ticket)) return false;
    if (credential !== undefined) this.credentials.noteUse(name);
    if (invitation !== undefined) {
      this.guests.noteSession(session, invitation);
      void this.alarms.wakeBy(invitation.expiresAtMs);
    }
    if (token !== undefined) void this.alarms.wakeBy(token.expiresAtMs);
    return true;
  }

  /** Whether a link may stay open. */
  isValid({ name, grant, token, revision }: SocketLink): boolean {
    if (token !== undefined) return this.keys.isValid({ name, revision, ...token });
    // A guest whose name now belongs to a client leaves.
    if (grant !== undefined)
      return this.credentials.info(name) === undefined && this.credentials.isValid(grant.host, { revision });
    // Revision 0: an authenticator of the deployer's own, which knows no revisions.
    return revision === 0 || this.credentials.isValid(name, { revision });
  }

  /** Forgets what has expired. @returns the clients whose links may have to end */
  expire(): string[] {
    this.guests.expire();
    return this.credentials.expire();
  }

  get #nextExpiryMs(): number | undefined {
    const times = [this.credentials.nextExpiryMs, this.guests.nextExpiryMs, this.#start.nextCheckMs()].filter(
      (time) => time !== undefined,
    );
    return times.length === 0 ? undefined : Math.min(...times);
  }
}
