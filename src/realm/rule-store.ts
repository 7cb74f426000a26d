import { Rules } from "../routing/rules.ts";
import { SharedVersion } from "./shared-version.ts";

/** Where the version of the last change to the rules is stored. */
const changedKey = "rulesChanged";

/** The realm's rules, in the object's own SQLite. They are parsed at the first open after a wake. */
export class RuleStore {
  readonly #storage: DurableObjectStorage;
  #current: Rules | undefined;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
    storage.sql.exec("CREATE TABLE IF NOT EXISTS rules (id INTEGER PRIMARY KEY CHECK (id = 1), text TEXT NOT NULL)");
  }

  /** The rules as their owner wrote them; empty if there are none. */
  get text(): string {
    return this.#storage.sql.exec<{ text: string }>("SELECT text FROM rules").toArray()[0]?.text ?? "";
  }

  get current(): Rules {
    return (this.#current ??= parsed(this.text));
  }

  /** The version of the last change, of those that `SharedVersion` counts. */
  get changedAt(): number {
    return this.#storage.kv.get<number>(changedKey) ?? 0;
  }

  /** Replaces the rules. @throws RulesError for rules that can't be parsed; then nothing changes */
  replace(text: string): void {
    const rules = Rules.parse(text);
    this.adopt(text, new SharedVersion(this.#storage.kv).next());
    this.#current = rules;
  }

  /** Takes the rules as the first shard has them. @param changedAt the version of their last change */
  adopt(text: string, changedAt: number): void {
    this.#storage.sql.exec("INSERT OR REPLACE INTO rules VALUES (1, ?)", text);
    this.#storage.kv.put(changedKey, changedAt);
    this.#current = undefined;
  }
}

/** Parses stored rules. Where this version of the router can't parse them, nothing may be opened: they may forbid anything. */
function parsed(text: string): Rules {
  try {
    return Rules.parse(text);
  } catch (error) {
    console.error("Cannot parse the realm's rules: nothing may be opened until they are replaced", error);
    return Rules.parse("default closed");
  }
}
