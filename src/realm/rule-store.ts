import { Rules } from "../routing/rules.ts";

/** The realm's rules, in the object's own SQLite. They are parsed at the first open after a wake. */
export class RuleStore {
  readonly #sql: SqlStorage;
  #current: Rules | undefined;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec("CREATE TABLE IF NOT EXISTS rules (id INTEGER PRIMARY KEY CHECK (id = 1), text TEXT NOT NULL)");
  }

  /** The rules as their owner wrote them; empty if there are none. */
  get text(): string {
    return this.#sql.exec<{ text: string }>("SELECT text FROM rules").toArray()[0]?.text ?? "";
  }

  get current(): Rules {
    return (this.#current ??= parsed(this.text));
  }

  /** Replaces the rules. @throws RulesError for rules that can't be parsed; then nothing changes */
  replace(text: string): void {
    const rules = Rules.parse(text);
    this.#sql.exec("INSERT OR REPLACE INTO rules VALUES (1, ?)", text);
    this.#current = rules;
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
