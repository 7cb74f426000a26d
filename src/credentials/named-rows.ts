import { routerLimits } from "@messagepasser/protocol";

/** A row of one of the tables below, by its columns. */
export type NamedRow = Readonly<Record<string, SqlStorageValue>>;

/** Rows on their way to another object. */
export interface RowPage {
  readonly table: number;
  readonly rows: readonly NamedRow[];
}

/** After which row the next page begins. */
export interface RowCursor {
  readonly table: number;
  /** The key of the last row; `undefined` at the beginning of a table. */
  readonly after: readonly SqlStorageValue[] | undefined;
}

/** A page of rows, and where the next one begins. */
export interface RowsGiven {
  readonly page: RowPage;
  readonly next: RowCursor;
}

interface Table {
  readonly name: string;
  readonly key: readonly string[];
  /** The column with the name of a client, whose home has the row; absent where each shard needs all rows. */
  readonly client?: string;
}

/** The tables of what a shard stores about clients. */
const tables: readonly Table[] = [
  { name: "clients", key: ["name"], client: "name" },
  { name: "guests", key: ["host", "nonce", "session"], client: "host" },
  // They don't say whose they are, and are there for seconds.
  { name: "tickets", key: ["expires_at", "id"] },
];

/** What an object stores about clients, as another object gets it that is their home from then on. */
export class NamedRows {
  readonly #sql: SqlStorage;

  /** @param sql with all of the tables */
  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** The next rows of clients that move. @param cursor absent for the first. @returns `undefined` after the last page */
  page(isMoving: (client: string) => boolean, cursor: RowCursor): RowsGiven | undefined {
    const table = tables[cursor.table];
    if (table === undefined) return undefined;
    const { name, key, client } = table;
    const columns = key.join(", ");
    const isAfter = cursor.after === undefined ? "" : `WHERE (${columns}) > (${key.map(() => "?").join(", ")})`;
    const all = this.#sql
      .exec<Record<string, SqlStorageValue>>(
        `SELECT * FROM ${name} ${isAfter} ORDER BY ${columns} LIMIT ?`,
        ...(cursor.after ?? []),
        routerLimits.maxMovedRows,
      )
      .toArray();
    // Names are texts.
    const rows = client === undefined ? all : all.filter((row) => isMoving(row[client] as string));
    const last = all.length < routerLimits.maxMovedRows ? undefined : all.at(-1);
    const next =
      last === undefined
        ? { table: cursor.table + 1, after: undefined }
        : { table: cursor.table, after: key.map((column) => last[column] ?? null) };
    return { page: { table: cursor.table, rows }, next };
  }

  /** Takes rows that another object gives. */
  put({ table, rows }: RowPage): void {
    const name = tables[table]?.name ?? "";
    for (const row of rows) {
      const columns = Object.keys(row);
      this.#sql.exec(
        `INSERT OR REPLACE INTO ${name} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`,
        ...Object.values(row),
      );
    }
  }

  /** Forgets all rows. */
  clear(): void {
    for (const { name } of tables) this.#sql.exec(`DELETE FROM ${name}`);
  }

  /** Forgets the rows of clients that have moved. */
  forget(isMoving: (client: string) => boolean): void {
    for (const { name, client } of tables) {
      if (client === undefined) continue;
      const all = this.#sql.exec<Record<string, string>>(`SELECT DISTINCT ${client} FROM ${name}`).toArray();
      for (const row of all) {
        const value = row[client] ?? "";
        if (isMoving(value)) this.#sql.exec(`DELETE FROM ${name} WHERE ${client} = ?`, value);
      }
    }
  }
}
