import {
  type AuditEntry,
  type ClientInfo,
  type Decision,
  type NewSecret,
  type SecretInfo,
  type SecretTimes,
  type Usage,
  usageCounters,
} from "@messagepasser/protocol/admin";
import type { AdminSettings } from "./settings.ts";
import { Failure, statuses, statusOfCode } from "./status.ts";

const timeoutMs = 15_000;
const pageLength = 500;

/** The admin API of a router, for one realm. */
export class AdminApi {
  readonly #realm: string;
  readonly #origin: string;
  readonly #token: string;

  constructor({ url, realm, adminToken }: AdminSettings) {
    const base = new URL(url);
    base.protocol = base.protocol.replace(/^ws/, "http");
    this.#origin = base.origin;
    this.#realm = `${base.origin}${base.pathname.replace(/\/$/, "")}/admin/v1/realms/${realm}`;
    this.#token = adminToken;
  }

  async add(name: string, times: SecretTimes = {}): Promise<NewSecret> {
    return newSecretOf(await this.#request("POST", "/clients", { name, ...times }));
  }

  async rotate(name: string, times: SecretTimes = {}): Promise<NewSecret> {
    return newSecretOf(await this.#request("POST", `${pathOf(name)}/rotate`, times));
  }

  async revoke(name: string): Promise<void> {
    await this.#request("DELETE", pathOf(name));
  }

  /** Refuses a client until it is enabled, or admits it again. */
  async setDisabled(name: string, isDisabled: boolean): Promise<ClientInfo> {
    return clientOf(await this.#request("POST", `${pathOf(name)}/${isDisabled ? "disable" : "enable"}`));
  }

  /** The realm's rules as text. */
  async rules(): Promise<string> {
    return await this.#requestText("GET", "/rules");
  }

  async replaceRules(text: string): Promise<void> {
    await this.#requestText("PUT", "/rules", text);
  }

  async decide(opener: string, peer: string, protocol: string): Promise<Decision> {
    const query = new URLSearchParams({ opener, peer, protocol });
    const fields = fieldsOf(await this.#request("GET", `/rules/test?${query.toString()}`));
    const [isAllowed, line] = [fields.get("isAllowed"), fields.get("line")];
    if (typeof isAllowed !== "boolean" || typeof line !== "number") throw notUnderstood();
    return { isAllowed, line };
  }

  /** The realm's audit trail, newest first. */
  async audit(count: number): Promise<AuditEntry[]> {
    const entries = fieldsOf(await this.#request("GET", `/audit?limit=${count}`)).get("entries");
    if (!Array.isArray(entries)) throw notUnderstood();
    return entries.map(entryOf);
  }

  /** What the realm has used since the count began. */
  async usage(): Promise<Usage> {
    return usageOf(await this.#request("GET", "/usage"));
  }

  /** Yields all clients in the order of their names, page by page. */
  async *list(): AsyncGenerator<ClientInfo> {
    let cursor: unknown = "";
    do {
      const query = new URLSearchParams({ limit: String(pageLength), cursor: String(cursor) });
      const page = fieldsOf(await this.#request("GET", `/clients?${query.toString()}`));
      const clients = page.get("clients");
      if (!Array.isArray(clients)) throw notUnderstood();
      yield* clients.map(clientOf);
      cursor = page.get("cursor");
    } while (typeof cursor === "string" && cursor !== "");
  }

  async #request(method: string, path: string, body?: object): Promise<object | undefined> {
    const text = await this.#requestText(method, path, body);
    if (text === "") return undefined;
    const value = parsed(text);
    if (value === undefined) throw notUnderstood();
    return value;
  }

  /** @param body an object is sent as JSON. */
  async #requestText(method: string, path: string, body?: object | string): Promise<string> {
    const { status, text } = await this.#fetch(method, path, body);
    if (status >= 200 && status < 300) return text;
    if (status === 401) throw new Failure(statuses.notLetIn, `The router at ${this.#origin} refused the admin token`);
    const fields = fieldsOf(parsed(text));
    const code = fields.get("code");
    const detail = fields.get("detail");
    const known = typeof code === "string" ? statusOfCode(code) : undefined;
    const sentence = typeof detail === "string" ? detail : `${this.#origin} answered with HTTP status ${status}`;
    throw new Failure(known ?? (status >= 500 ? statuses.unreachable : statuses.usage), sentence);
  }

  async #fetch(method: string, path: string, body?: object | string): Promise<{ status: number; text: string }> {
    const type = typeof body === "string" ? "text/plain" : "application/json";
    try {
      const response = await fetch(this.#realm + path, {
        method,
        headers: { authorization: `Bearer ${this.#token}`, ...(body !== undefined && { "content-type": type }) },
        ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
        // The user decides where the token goes, not an answer.
        redirect: "error",
        signal: AbortSignal.timeout(timeoutMs),
      });
      return { status: response.status, text: await response.text() };
    } catch (error) {
      throw new Failure(statuses.unreachable, `Cannot reach the router at ${this.#origin}: ${reasonOf(error)}`, {
        cause: error,
      });
    }
  }
}

function pathOf(name: string): string {
  return `/clients/${encodeURIComponent(name)}`;
}

function fieldsOf(value: unknown): Map<string, unknown> {
  return new Map<string, unknown>(Object.entries(value ?? {}));
}

function clientOf(value: unknown): ClientInfo {
  const fields = fieldsOf(value);
  const [name, changedAt, lastUsedAt = null] = ["name", "changedAt", "lastUsedAt"].map((field) => fields.get(field));
  const previous = fields.get("previous") ?? null;
  if (typeof name !== "string" || typeof changedAt !== "string" || !isTextOrNull(lastUsedAt)) throw notUnderstood();
  return {
    name,
    ...secretInfoOf(fields),
    previous: previous === null ? null : secretInfoOf(fieldsOf(previous)),
    changedAt,
    lastUsedAt,
    isDisabled: fields.get("isDisabled") === true,
  };
}

function secretInfoOf(fields: ReadonlyMap<string, unknown>): SecretInfo {
  const [secretId, revision, expiresAt = null] = ["secretId", "revision", "expiresAt"].map((field) =>
    fields.get(field),
  );
  if (typeof secretId !== "string" || typeof revision !== "number" || !isTextOrNull(expiresAt)) throw notUnderstood();
  return { secretId, revision, expiresAt };
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === "string";
}

function entryOf(value: unknown): AuditEntry {
  const fields = fieldsOf(value);
  const [at, who, what, name] = ["at", "who", "what", "name"].map((field) => fields.get(field));
  const id = fields.get("id");
  if (typeof id !== "number" || typeof at !== "string" || typeof who !== "string") throw notUnderstood();
  if (typeof what !== "string" || typeof name !== "string") throw notUnderstood();
  return { id, at, who, what, name };
}

function usageOf(value: unknown): Usage {
  const fields = fieldsOf(value);
  const since = fields.get("since");
  if (typeof since !== "string") throw notUnderstood();
  const numbers = [...usageCounters, "asleepMs" as const].map((name) => [name, fields.get(name)] as const);
  if (numbers.some(([, number]) => typeof number !== "number")) throw notUnderstood();
  // All of them were found to be numbers.
  return { since, ...(Object.fromEntries(numbers) as Omit<Usage, "since">) };
}

function newSecretOf(value: object | undefined): NewSecret {
  const secret = fieldsOf(value).get("secret");
  if (typeof secret !== "string") throw notUnderstood();
  return { ...clientOf(value), secret };
}

function parsed(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function notUnderstood(): Failure {
  return new Failure(statuses.failed, "The router sent an unknown answer: is it of the same version as mp?");
}

/** The reason of a failed `fetch`, which only its causes tell. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return `no answer within ${timeoutMs} ms`;
  if (error.cause !== undefined) return reasonOf(error.cause);
  const [first] = error instanceof AggregateError ? error.errors : [];
  return first === undefined ? error.message : reasonOf(first);
}
