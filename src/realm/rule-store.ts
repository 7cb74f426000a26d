import { Rules } from "../routing/rules.ts";

/** The realm's rules, in the object's own SQLite. They are read at the first open after a wake. */
export class RuleStore {
  readonly #sql: SqlStorage;
  #current: Rules | undefined;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec("CREATE TABLE IF NOT EXISTS rules (id INTEGER PRIMARY KEY CHECK (id = 1), text TEXT NOT NULL)");
  }

  /** The rules as their owner wrote them; empty where there are none. */
  get text(): string {
    return this.#sql.exec<{ text: string }>("SELECT text FROM rules").toArray()[0]?.text ?? "";
  }

  get current(): Rules {
    return (this.#current ??= readable(this.text));
  }

  /** Takes other rules. @throws RulesError where they can't be read: then nothing has changed */
  replace(text: string): void {
    const rules = Rules.parse(text);
    this.#sql.exec("INSERT OR REPLACE INTO rules VALUES (1, ?)", text);
    this.#current = rules;
  }
}

/** Rules that were stored. Where this version can't read them it lets nobody open anything: it may be all that they say. */
function readable(text: string): Rules {
  try {
    return Rules.parse(text);
  } catch (error) {
    console.error("Cannot read the realm's rules: all is closed until there are others", error);
    return Rules.parse("default closed");
  }
}
