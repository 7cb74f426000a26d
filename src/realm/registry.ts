import { CredentialStore } from "../credentials/credential-store.ts";
import { GuestStore } from "../credentials/guest-store.ts";
import { KvCopier } from "../credentials/kv-records.ts";
import type { Env } from "../env.ts";
import type { Admission } from "./admission.ts";
import { Alarms } from "./alarms.ts";
import { AuditLog } from "./audit-log.ts";
import type { SocketLink } from "./socket-link.ts";

/** Which clients and guests a realm has, and which of them may have a link: the object's own stores, and KV's copy. */
export class Registry {
  readonly credentials: CredentialStore;
  readonly guests: GuestStore;
  readonly audit: AuditLog;
  readonly alarms: Alarms;

  constructor(storage: DurableObjectStorage, { CREDENTIALS, MP_PEPPER }: Env, realm: string) {
    this.credentials = new CredentialStore(storage.sql, MP_PEPPER ?? "", realm);
    this.guests = new GuestStore(storage.sql, this.credentials);
    this.audit = new AuditLog(storage.sql);
    const copier = new KvCopier(CREDENTIALS, realm, this.credentials);
    this.alarms = new Alarms(storage, copier, () => this.#nextExpiryMs);
  }

  /** Whether a new link may be opened. The edge has checked the admission against KV, which may lag: this is the truth. */
  admit({ name, credential, invitation }: Admission, session: string): boolean {
    if (credential !== undefined) return this.credentials.admit(name, credential);
    if (invitation === undefined) return true;
    const isAdmitted = this.guests.admit(name, session, invitation);
    if (isAdmitted) void this.alarms.wakeBy(invitation.expiresAtMs);
    return isAdmitted;
  }

  /** Whether a link may stay open. */
  isValid({ name, grant, revision }: SocketLink): boolean {
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
    const times = [this.credentials.nextExpiryMs, this.guests.nextExpiryMs].filter((time) => time !== undefined);
    return times.length === 0 ? undefined : Math.min(...times);
  }
}
