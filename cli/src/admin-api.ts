import { foreignAnswer, networkReason, routerProblemIn } from "@messagepasser/protocol";
import {
  type AuditEntry,
  type ClientInfo,
  type Decision,
  type NewSecret,
  type NewTokenKey,
  type SecretInfo,
  type SecretTimes,
  tokenAlgorithms,
  type TokenKeyInfo,
  type Usage,
  usageCounters,
} from "@messagepasser/protocol/admin";
import { ask, type Answer } from "./http.ts";
import { routerTarget } from "./proxy/environment.ts";
import type { AdminSettings, Way } from "./settings.ts";
import { Failure, statuses, statusOfCode } from "./status.ts";

const timeoutMs = 15_000;
const pageLength = 500;

/** The admin API of a router, for one realm. */
export class AdminApi {
  /** The URL of the realm, with the query of the router's URL. */
  readonly #realm: URL;
  readonly #token: string;
  readonly #way: Way;
  #routerMs = NaN;

  constructor({ url, realm, adminToken, ...way }: AdminSettings) {
    this.#realm = new URL(url);
    this.#realm.protocol = url.protocol.replace(/^ws/, "http");
    this.#realm.pathname = `${url.pathname.replace(/\/$/, "")}/admin/v1/realms/${realm}`;
    this.#token = adminToken;
    this.#way = way;
  }

  /** The time of the last answer by the router's clock, or by this machine's where the router doesn't say. */
  get routerMs(): number {
    return Number.isNaN(this.#routerMs) ? Date.now() : this.#routerMs;
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

  /** Adds a key for tokens. @param terms the fields of the request's body */
  async addKey(terms: object): Promise<NewTokenKey> {
    const value = await this.#request("POST", "/keys", terms);
    const secret = fieldsOf(value).get("secret");
    return { ...keyOf(value), ...(typeof secret === "string" && { secret }) };
  }

  async keys(): Promise<TokenKeyInfo[]> {
    const keys = fieldsOf(await this.#get("/keys")).get("keys");
    if (!Array.isArray(keys)) throw notUnderstood();
    return keys.map(keyOf);
  }

  async removeKey(id: string): Promise<void> {
    await this.#request("DELETE", `/keys/${encodeURIComponent(id)}`);
  }

  /** Revokes the tokens of a key, or of one holder, that were issued before a time. @param which the fields of the request's body */
  async revokeTokens(which: object): Promise<TokenKeyInfo> {
    return keyOf(await this.#request("POST", "/tokens/revoke", which));
  }

  /** The realm's rules as text. */
  async rules(): Promise<string> {
    return await this.#requestText("GET", this.#page("/rules"));
  }

  async replaceRules(text: string): Promise<void> {
    await this.#requestText("PUT", this.#page("/rules"), text);
  }

  async decide(opener: string, peer: string, protocol: string): Promise<Decision> {
    const fields = fieldsOf(await this.#get("/rules/test", { opener, peer, protocol }));
    const [isAllowed, line] = [fields.get("isAllowed"), fields.get("line")];
    if (typeof isAllowed !== "boolean" || typeof line !== "number") throw notUnderstood();
    return { isAllowed, line };
  }

  /** The realm's audit trail, newest first. */
  async audit(count: number): Promise<AuditEntry[]> {
    const entries = fieldsOf(await this.#get("/audit", { limit: String(count) })).get("entries");
    if (!Array.isArray(entries)) throw notUnderstood();
    return entries.map(entryOf);
  }

  /** Ends all links of the realm. Its clients reconnect. */
  async restart(): Promise<void> {
    await this.#request("POST", "/restart");
  }

  /** What the realm has used since the count began. */
  async usage(): Promise<Usage> {
    return usageOf(await this.#get("/usage"));
  }

  /** Yields all clients in the order of their names, page by page. */
  async *list(): AsyncGenerator<ClientInfo> {
    let cursor = "";
    do {
      const page = fieldsOf(await this.#get("/clients", { limit: String(pageLength), cursor }));
      const [clients, next = ""] = [page.get("clients"), page.get("cursor")];
      if (!Array.isArray(clients) || typeof next !== "string") throw notUnderstood();
      yield* clients.map(clientOf);
      // Pages come in the order of the names' bytes: a cursor that doesn't grow would lead to no end.
      if (next !== "" && Buffer.compare(Buffer.from(next), Buffer.from(cursor)) <= 0) throw notUnderstood();
      cursor = next;
    } while (cursor !== "");
  }

  /** The URL of a page of the realm. @param path escaped. */
  #page(path: string, query: Readonly<Record<string, string>> = {}): URL {
    const page = new URL(this.#realm);
    page.pathname += path;
    for (const [name, value] of Object.entries(query)) page.searchParams.set(name, value);
    return page;
  }

  async #get(path: string, query?: Readonly<Record<string, string>>): Promise<object | undefined> {
    return this.#parsed(await this.#requestText("GET", this.#page(path, query)));
  }

  async #request(method: string, path: string, body?: object): Promise<object | undefined> {
    return this.#parsed(await this.#requestText(method, this.#page(path), body));
  }

  #parsed(text: string): object | undefined {
    if (text === "") return undefined;
    const value = parsed(text);
    if (value === undefined) throw notUnderstood();
    return value;
  }

  /** @param body an object is sent as JSON. */
  async #requestText(method: string, page: URL, body?: object | string): Promise<string> {
    const { status, statusLine, location, type, text, atMs } = await this.#ask(method, page, body);
    this.#routerMs = atMs;
    // Captive portals answer with 200 too: a call that gives nothing must be answered with nothing.
    const isContent = status === 200 || status === 201;
    const hasContent = method === "GET" || method === "POST";
    if (status === 204 || (isContent && hasContent && /^(?:text\/plain|application\/json)?$/.test(type))) return text;
    const problem = routerProblemIn(status, type, text);
    if (problem === undefined)
      throw new Failure(statuses.unreachable, `${page.origin}: ${foreignAnswer(statusLine, location)}`);
    if (problem.code === "unauthorized")
      throw new Failure(statuses.notLetIn, `The router at ${page.origin} refused the admin token`);
    throw new Failure(statusOfCode(problem.code) ?? statuses.failed, problem.detail);
  }

  async #ask(method: string, page: URL, body?: object | string): Promise<Answer> {
    const type = typeof body === "string" ? "text/plain" : "application/json";
    try {
      return await ask(page, {
        method,
        headers: {
          ...this.#way.headers,
          authorization: `Bearer ${this.#token}`,
          ...(body !== undefined && { "content-type": type }),
        },
        ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
        agent: this.#way.agent,
        signal: AbortSignal.timeout(timeoutMs),
      });
    } catch (cause) {
      const isLate = cause instanceof Error && cause.name === "TimeoutError";
      const why = isLate ? `no answer within ${timeoutMs} ms` : networkReason(cause, routerTarget(page));
      throw new Failure(statuses.unreachable, `Cannot reach the router at ${page.origin}: ${why}`, { cause });
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

function keyOf(value: unknown): TokenKeyInfo {
  const fields = fieldsOf(value);
  const [id, source, addedAt, revokedBefore = null] = ["id", "source", "addedAt", "revokedBefore"].map((field) =>
    fields.get(field),
  );
  const [audiences, maxLifeS] = [fields.get("audiences"), fields.get("maxLifeS")];
  const algorithm = tokenAlgorithms.find((known) => known === fields.get("algorithm"));
  if (typeof id !== "string" || typeof source !== "string" || typeof addedAt !== "string") throw notUnderstood();
  if (algorithm === undefined || typeof maxLifeS !== "number" || !isTextOrNull(revokedBefore)) throw notUnderstood();
  if (!Array.isArray(audiences)) throw notUnderstood();
  return { id, algorithm, source, audiences: audiences.map(String), maxLifeS, revokedBefore, addedAt };
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
  const [since, unclosed] = [fields.get("since"), fields.get("unclosed")];
  if (typeof since !== "string" || !Array.isArray(unclosed)) throw notUnderstood();
  const numbers = [...usageCounters, "asleepMs" as const].map((name) => [name, fields.get(name)] as const);
  if (numbers.some(([, number]) => typeof number !== "number")) throw notUnderstood();
  // All of them were found to be numbers.
  return {
    since,
    unclosed: unclosed.map(String),
    ...(Object.fromEntries(numbers) as Omit<Usage, "since" | "unclosed">),
  };
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
