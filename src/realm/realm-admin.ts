import type { AuditEntry, AuditLog } from "./audit-log.ts";
import type { ClientInfo, CredentialStore, NewSecret, SecretTimes } from "../credentials/credential-store.ts";
import type { RuleStore } from "./rule-store.ts";
import { type Decision, type Rules, RulesError } from "../routing/rules.ts";
import type { UsageReport } from "./usage.ts";

/** What a realm's administration works on. */
export interface Administered {
  readonly credentials: CredentialStore;
  readonly rules: RuleStore;
  readonly audit: AuditLog;
  /** Does all of something, or nothing. */
  atomically<Result>(change: () => Result): Result;
  /** A client's credentials have changed: links that no longer stand end at once, and KV is told. */
  changed(name: string): Promise<void>;
  rulesChanged(before: Rules): void;
  usage(): UsageReport;
}

/** A call to a realm's administration, as it goes from the Worker to the object: with data only, so that nothing keeps the object awake. */
export type AdminMethod = keyof RealmAdmin;

/** A realm's administration for one who holds a token: all that changes something is noted in the audit trail first. */
export class RealmAdmin {
  readonly #realm: Administered;
  readonly #who: string;

  constructor(realm: Administered, who: string) {
    this.#realm = realm;
    this.#who = who;
  }

  /** Adds a client; `undefined` if the name is taken. */
  async addClient(name: string, times?: SecretTimes): Promise<NewSecret | undefined> {
    return await this.#change("add", name, () => this.#realm.credentials.add(name, times));
  }

  /** A new secret for a client; links opened with one that no longer stands are closed. `undefined` if there is no such client. */
  async rotateClient(name: string, times?: SecretTimes): Promise<NewSecret | undefined> {
    return await this.#change("rotate", name, () => this.#realm.credentials.rotate(name, times));
  }

  /** Ends a client's secrets and its link; false if there is no such client. */
  async revokeClient(name: string): Promise<boolean> {
    return (await this.#change("revoke", name, () => this.#realm.credentials.revoke(name) || undefined)) ?? false;
  }

  /** Keeps a client out, or lets it in again; `undefined` if there is no such client. */
  async setDisabled(name: string, isDisabled: boolean): Promise<ClientInfo | undefined> {
    const what = isDisabled ? "disable" : "enable";
    return await this.#change(what, name, () => this.#realm.credentials.setDisabled(name, isDisabled));
  }

  /** A client, if there is one. */
  client(name: string): ClientInfo | undefined {
    return this.#realm.credentials.info(name);
  }

  /** A page of clients. */
  listClients(cursor: string, limit: number): { clients: ClientInfo[]; cursor?: string } {
    return this.#realm.credentials.list(cursor, limit);
  }

  /** The realm's rules as text. */
  rulesText(): string {
    return this.#realm.rules.text;
  }

  /** Takes other rules, also for what is open; or says why they can't be read. */
  replaceRules(text: string): { problem?: string } {
    const before = this.#realm.rules.current;
    try {
      this.#realm.atomically(() => {
        this.#realm.audit.add(this.#who, "rules", "");
        this.#realm.rules.replace(text);
      });
    } catch (error) {
      if (error instanceof RulesError) return { problem: error.message };
      throw error;
    }
    this.#realm.rulesChanged(before);
    return {};
  }

  /** What the rules say of an open. */
  decide(opener: string, peer: string, protocol: string): Decision {
    return this.#realm.rules.current.decide(opener, peer, protocol);
  }

  /** What was done to the realm, the newest first. */
  auditPage(before: number, limit: number): AuditEntry[] {
    return this.#realm.audit.page(before, limit);
  }

  /** What the realm's object has done so far, this call included. */
  usage(): UsageReport {
    return this.#realm.usage();
  }

  async #change<Result>(what: string, name: string, change: () => Result | undefined): Promise<Result | undefined> {
    const result = this.#realm.atomically(() => {
      const changed = change();
      if (changed !== undefined) this.#realm.audit.add(this.#who, what, name);
      return changed;
    });
    if (result === undefined) return undefined;
    await this.#realm.changed(name);
    return result;
  }
}
