import { routerLimits } from "@messagepasser/protocol";
import type { KeyStore, StampedRevocation } from "../credentials/key-store.ts";
import type { TokenKey } from "../credentials/token-key.ts";
import type { RuleStore } from "./rule-store.ts";
import { SharedVersion } from "./shared-version.ts";

/** The form of `SharedChanges`. During a deploy two shards may have different ones. */
const form = 1;

/** What has changed of what all shards of a realm share, after one version and up to another one. */
export interface SharedChanges {
  readonly form: number;
  readonly after: number;
  readonly upTo: number;
  readonly rules?: { readonly text: string; readonly changedAt: number };
  /** All keys, if one of them has changed. */
  readonly keys?: { readonly all: readonly TokenKey[]; readonly changedAt: number };
  readonly revocations: readonly StampedRevocation[];
}

/**
 * All shards of a realm share its rules, and the keys and revocations of its tokens. The first shard has the truth, and each
 * other one a copy with the version that it was told last.
 */
export class SharedStore {
  readonly #storage: DurableObjectStorage;
  readonly #version: SharedVersion;
  readonly #keys: KeyStore;
  readonly #rules: () => RuleStore;

  /** @param rules opened when they are needed */
  constructor(storage: DurableObjectStorage, keys: KeyStore, rules: () => RuleStore) {
    this.#storage = storage;
    this.#version = new SharedVersion(storage.kv);
    this.#keys = keys;
    this.#rules = rules;
  }

  get version(): number {
    return this.#version.current;
  }

  /** What a shard lacks that was told everything up to a version: as much as one call takes. */
  changesAfter(after: number): SharedChanges {
    const most = routerLimits.maxRevocationsPerCall;
    const revocations = this.#keys.revocationsAfter(after, most + 1);
    const isMore = revocations.length > most;
    const upTo = isMore ? (revocations[most - 1]?.changedAt ?? after) : this.version;
    const [rules, keys] = [this.#rules(), this.#keys];
    const has = (changedAt: number): boolean => after < changedAt && changedAt <= upTo;
    return {
      form,
      after,
      upTo,
      ...(has(rules.changedAt) && { rules: { text: rules.text, changedAt: rules.changedAt } }),
      ...(has(keys.changedAt) && { keys: { all: keys.all(), changedAt: keys.changedAt } }),
      revocations: revocations.slice(0, most),
    };
  }

  /**
   * Takes over changes of the first shard, unless this shard knows them already or lacks some before them.
   *
   * @throws Error for changes of another form: the first shard tells them again when the deploy is complete
   */
  adopt(changes: SharedChanges): void {
    if (changes.form !== form) throw new Error(`Changes of form ${changes.form}, where ${form} is known`);
    const { after, upTo, rules, keys, revocations } = changes;
    if (this.version < after || this.version >= upTo) return;
    this.#storage.transactionSync(() => {
      if (rules !== undefined) this.#rules().adopt(rules.text, rules.changedAt);
      if (keys !== undefined) this.#keys.adopt(keys.all, keys.changedAt);
      this.#keys.adoptRevocations(revocations);
      this.#version.current = upTo;
    });
  }

  /**
   * Raises all versions above one that another shard has: the storage of this shard was set back, or that of the other one
   * is damaged. So the other shard takes everything anew.
   */
  raiseAbove(version: number): void {
    this.#storage.transactionSync(() => {
      this.#keys.raise(version);
      this.#version.current += version;
      this.#rules().adopt(this.#rules().text, this.#version.next());
      this.#keys.noteChange();
    });
  }
}
