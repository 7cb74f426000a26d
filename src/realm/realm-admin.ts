import { hostInName } from "@messagepasser/protocol";
import type {
  AuditEntry,
  ClientInfo,
  ClientPage,
  Decision,
  NewSecret,
  NewTokenKey,
  RealmLayout,
  RealmLocation,
  TokenKeyInfo,
  Unconfirmed,
  Usage,
} from "@messagepasser/protocol/admin";
import type { KeyTerms } from "../credentials/key-store.ts";
import type { Validity } from "../credentials/credential-store.ts";
import { type ClientName, type Rules, RulesError } from "../routing/rules.ts";
import type { Registry } from "./registry.ts";
import type { Moved } from "./admission.ts";
import type { LayoutStore } from "./layout-store.ts";
import type { RuleStore } from "./rule-store.ts";
import { unconfirmedIn } from "./sharing.ts";

/** What an administrator works on. */
export interface AdministeredRealm extends Pick<Registry, "credentials" | "guests" | "keys" | "audit"> {
  readonly rules: RuleStore;
  /** Makes all the changes of a function, or none of them. */
  atomically<Result>(change: () => Result): Result;
  /** Applies changed credentials: closes links whose secrets are no longer valid, and tells KV. */
  credentialsChanged(name: string): Promise<void>;
  /** Applies changed keys and revocations of tokens in the same way. @returns the shards that have not confirmed them */
  tokensChanged(): Promise<number[]>;
  /** Applies changed rules to what is open. @returns the shards that have not confirmed them */
  rulesChanged(before: Rules): Promise<number[]>;
  usage(): Usage;
  readonly layout: Pick<LayoutStore, "count" | "target" | "location">;
  /** Makes the realm grow to the number of shards that it is to have. */
  targetChanged(): Promise<void>;
  /** Ends the realm's object, and with it the sockets of all clients. Never returns. */
  restart(): Promise<void>;
}

/** What a call of `restart` rejects with, since the object ends before it can answer. */
export const restartReason = "An administrator restarted the realm";

/** The methods that the Worker may call. */
export type AdminMethod = keyof RealmAdmin;

/** The methods about one client, whose home is asked, by what they do with what is stored about it. */
export const methodsOfNames: { readonly [Method in AdminMethod]?: "reads" | "writes" } = {
  addClient: "writes",
  rotateClient: "writes",
  revokeClient: "writes",
  setDisabled: "writes",
  client: "reads",
  decide: "reads",
};

/** The administrator that calls a method, through a Worker. */
export interface Asker {
  /** Named in the audit trail. */
  readonly who: string;
  /** How many shards the Worker counts. */
  readonly shards: number;
}

/** A realm's object, as the Worker administers it. Calls carry data only: a stub would keep the object from hibernating. */
export interface AdministeredObject {
  /** As the first shard knows it. */
  layout(): RealmLayout | Promise<RealmLayout>;
  administer<Method extends AdminMethod>(
    asker: Asker,
    method: Method,
    ...parameters: Parameters<RealmAdmin[Method]>
  ): Promise<Awaited<ReturnType<RealmAdmin[Method]>> | Moved>;
}

/** The object that knows all realms, as the Worker asks it. */
export interface DirectoryObject {
  knowsRealm(realm: string): boolean | Promise<boolean>;
  noteRealm(realm: string): void | Promise<void>;
}

/** An administrator of a realm. The audit trail gets each change, in one transaction with the change itself. */
export class RealmAdmin {
  readonly #realm: AdministeredRealm;
  readonly #who: string;

  constructor(realm: AdministeredRealm, who: string) {
    this.#realm = realm;
    this.#who = who;
  }

  /** Adds a client; `undefined` if the name is taken. */
  async addClient(name: string, validity?: Validity): Promise<NewSecret | undefined> {
    return await this.#change("add", name, () => this.#realm.credentials.add(name, validity));
  }

  /** Gives a client a new secret, and closes links of a secret that ends by it; `undefined` for no such client. */
  async rotateClient(name: string, validity?: Validity): Promise<NewSecret | undefined> {
    return await this.#change("rotate", name, () => this.#realm.credentials.rotate(name, validity));
  }

  /** Ends a client's secrets, its link and its guests; false if there is no such client. */
  async revokeClient(name: string): Promise<boolean> {
    const isRevoked = await this.#change("revoke", name, () => {
      this.#realm.guests.forget(name);
      return this.#realm.credentials.revoke(name) || undefined;
    });
    return isRevoked ?? false;
  }

  /** Disables or enables a client; `undefined` for no such client. */
  async setDisabled(name: string, isDisabled: boolean): Promise<ClientInfo | undefined> {
    const what = isDisabled ? "disable" : "enable";
    return await this.#change(what, name, () => this.#realm.credentials.setDisabled(name, isDisabled));
  }

  /** Adds a key for tokens; `undefined` if its id is taken or there are too many. */
  async addKey(terms: KeyTerms): Promise<(NewTokenKey & Unconfirmed) | undefined> {
    return await this.#changeTokens("add key", terms.id, () => this.#realm.keys.add(terms));
  }

  /** Removes a key, and closes the links that its tokens opened; `undefined` for no such key. */
  async removeKey(id: string): Promise<Unconfirmed | undefined> {
    return await this.#changeTokens("remove key", id, () => (this.#realm.keys.remove(id) ? {} : undefined));
  }

  listKeys(): TokenKeyInfo[] {
    return this.#realm.keys.list();
  }

  /**
   * Revokes the tokens of a key that were issued before a time, or only those of one holder, and closes their links;
   * `undefined` for no such key.
   *
   * @param beforeS seconds since 1970
   */
  async revokeTokens(id: string, beforeS: number, name?: string): Promise<(TokenKeyInfo & Unconfirmed) | undefined> {
    return await this.#changeTokens("revoke tokens", name ?? id, () => this.#realm.keys.revoke(id, beforeS, name));
  }

  client(name: string): ClientInfo | undefined {
    return this.#realm.credentials.info(name);
  }

  listClients(cursor: string, limit: number): ClientPage {
    return this.#realm.credentials.list(cursor, limit);
  }

  /** The realm's rules as their owner wrote them. */
  rulesText(): string {
    return this.#realm.rules.text;
  }

  /** Replaces the rules, also for what is open. @returns why they can't be parsed, if they can't */
  async replaceRules(text: string): Promise<Unconfirmed & { problem?: string }> {
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
    return unconfirmedIn(await this.#realm.rulesChanged(before));
  }

  /** Whether the rules allow an open. @param opener a client's name, or a guest's, as is `peer` */
  decide(opener: string, peer: string, protocol: string): Decision {
    return this.#realm.rules.current.decide(this.#clientName(opener), this.#clientName(peer), protocol);
  }

  /** A name that may be a guest's. */
  #clientName(name: string): ClientName {
    const host = hostInName(name);
    return host === undefined || this.#realm.credentials.info(name) !== undefined ? name : { host, guest: name };
  }

  /** Entries of the audit trail older than `before`, the newest first. */
  auditPage(before: number, limit: number): AuditEntry[] {
    return this.#realm.audit.page(before, limit);
  }

  /**
   * Makes the realm grow to so many shards.
   *
   * @param location where new shards are made from now on. Default: as before.
   * @returns why it can't grow so, if it can't
   */
  async grow(shards: number, location?: RealmLocation): Promise<string | undefined> {
    const { layout } = this.#realm;
    const { count, target } = layout;
    // The shard that is being added now can't be left out any more.
    const least = target === undefined ? count : Math.min(count + 1, target);
    if (shards < least) return `The realm has ${count} shards already, and their number can't be made smaller`;
    const isMoved = location !== undefined && location !== layout.location;
    if (shards === (target ?? count) && !isMoved) {
      // Asked again, a growth that stands still goes on.
      if (target !== undefined) await this.#realm.targetChanged();
      return undefined;
    }
    this.#realm.atomically(() => {
      this.#realm.audit.add(this.#who, `shards ${shards}${isMoved ? ` in ${location}` : ""}`, "");
      layout.target = shards;
      if (isMoved) layout.location = location;
    });
    await this.#realm.targetChanged();
    return undefined;
  }

  /** What the realm has used so far, this call included. */
  usage(): Usage {
    return this.#realm.usage();
  }

  /**
   * Ends all sockets of the realm, also those of clients that ignore that their links were closed. Sessions resume on new
   * links. Rejects with `restartReason`.
   */
  async restart(): Promise<void> {
    this.#realm.audit.add(this.#who, "restart", "");
    await this.#realm.restart();
  }

  async #change<Result>(what: string, name: string, change: () => Result | undefined): Promise<Result | undefined> {
    const result = this.#noted(what, name, change);
    if (result !== undefined) await this.#realm.credentialsChanged(name);
    return result;
  }

  async #changeTokens<Result extends object>(
    what: string,
    name: string,
    change: () => Result | undefined,
  ): Promise<(Result & Unconfirmed) | undefined> {
    const result = this.#noted(what, name, change);
    return result && { ...result, ...unconfirmedIn(await this.#realm.tokensChanged()) };
  }

  #noted<Result>(what: string, name: string, change: () => Result | undefined): Result | undefined {
    return this.#realm.atomically(() => {
      const changed = change();
      if (changed !== undefined) this.#realm.audit.add(this.#who, what, name);
      return changed;
    });
  }
}
