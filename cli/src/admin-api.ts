import { foreignAnswer, networkReason, routerProblemIn } from "@messagepasser/protocol";
import {
  type AuditEntry,
  type ClientInfo,
  type Decision,
  type NewSecret,
  type NewTokenKey,
  type RealmLayout,
  type SecretInfo,
  type SecretTimes,
  tokenAlgorithms,
  type TokenKeyInfo,
  type Unconfirmed,
  type Usage,
  usageCounters,
} from "@messagepasser/protocol/admin";
import { ask, type Answer } from "./http.ts";
import { boolean, listOf, nothing, notUnderstood, number, objectOf, oneOf, orNull, string } from "./readers.ts";
import { routerTarget } from "./proxy/environment.ts";
import { type AdminFlags, adminSettings, type AdminSettings, type Way } from "./settings.ts";
import { Failure, statuses, statusOfCode } from "./status.ts";

const timeoutMs = 15_000;
const pageLength = 500;

const secretFields = { secretId: string, revision: number, expiresAt: orNull(string) };
const clientFields = {
  name: string,
  ...secretFields,
  previous: orNull(objectOf<SecretInfo>(secretFields)),
  changedAt: string,
  lastUsedAt: orNull(string),
  isDisabled: (value: unknown): boolean => value === true,
};
const clientIn = objectOf<ClientInfo>(clientFields);
const newSecretIn = objectOf<NewSecret>({ ...clientFields, secret: string });
const clientsIn = objectOf({ clients: listOf(clientIn), cursor: orNull(string) });
const keyIn = objectOf<TokenKeyInfo>({
  id: string,
  algorithm: oneOf(tokenAlgorithms),
  source: string,
  audiences: listOf(string),
  maxLifeS: number,
  revokedBefore: orNull(string),
  addedAt: string,
});
const keysIn = objectOf({ keys: listOf(keyIn) });
const keySecretIn = objectOf({ secret: orNull(string) });
const unconfirmedIn = objectOf({ unconfirmedShards: listOf(number) });
const perhapsUnconfirmedIn = objectOf({ unconfirmedShards: orNull(listOf(number)) });
const decisionIn = objectOf<Decision>({ isAllowed: boolean, line: number });
const entryIn = objectOf<AuditEntry>({ id: number, at: string, who: string, what: string, name: string });
const entriesIn = objectOf({ entries: listOf(entryIn) });
const layoutIn = objectOf<Layout>({
  shards: number,
  target: orNull(number),
  location: orNull(string),
  unconfirmedShards: orNull(listOf(number)),
});
const usageIn = objectOf<Usage>({
  since: string,
  unclosed: listOf(string),
  // Each counter is there.
  ...(Object.fromEntries(usageCounters.map((name) => [name, number])) as Record<
    (typeof usageCounters)[number],
    typeof number
  >),
  asleepMs: number,
});

/** How a realm is spread over objects, as `mp` reads it. */
export interface Layout extends Pick<RealmLayout, "shards"> {
  /** How many shards it is growing to; `null` if it isn't. */
  readonly target: number | null;
  readonly location: string | null;
  /** The shards that lack a change of what all share; `null` if none does. */
  readonly unconfirmedShards: readonly number[] | null;
}

/** The admin API of a router, for one realm. */
export class AdminApi {
  /** The URL of the realm, with the query of the router's URL. */
  readonly #realm: URL;
  readonly #token: string;
  readonly #way: Way;
  #routerMs = NaN;

  /** The API as flags, variables and profile say. */
  static async of(flags: AdminFlags): Promise<AdminApi> {
    return new AdminApi(await adminSettings(flags));
  }

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
    return newSecretIn(await this.#request("POST", "/clients", { name, ...times }));
  }

  async rotate(name: string, times: SecretTimes = {}): Promise<NewSecret> {
    return newSecretIn(await this.#request("POST", `${pathOf(name)}/rotate`, times));
  }

  async revoke(name: string): Promise<void> {
    await this.#request("DELETE", pathOf(name));
  }

  /** Refuses a client until it is enabled, or admits it again. */
  async setDisabled(name: string, isDisabled: boolean): Promise<ClientInfo> {
    return clientIn(await this.#request("POST", `${pathOf(name)}/${isDisabled ? "disable" : "enable"}`));
  }

  /** Adds a key for tokens. @param terms the fields of the request's body */
  async addKey(terms: object): Promise<NewTokenKey & Unconfirmed> {
    const value = await this.#request("POST", "/keys", terms);
    const { secret } = keySecretIn(value);
    return { ...changedKeyIn(value), ...(secret !== null && { secret }) };
  }

  async keys(): Promise<TokenKeyInfo[]> {
    return keysIn(await this.#get("/keys")).keys;
  }

  async removeKey(id: string): Promise<Unconfirmed> {
    return changeIn(await this.#request("DELETE", `/keys/${encodeURIComponent(id)}`));
  }

  /** Revokes the tokens of a key, or of one holder, that were issued before a time. @param which the fields of the request's body */
  async revokeTokens(which: object): Promise<TokenKeyInfo & Unconfirmed> {
    return changedKeyIn(await this.#request("POST", "/tokens/revoke", which));
  }

  /** The realm's rules as text. */
  async rules(): Promise<string> {
    return await this.#requestText("GET", this.#page("/rules"));
  }

  async replaceRules(text: string): Promise<Unconfirmed> {
    return changeIn(this.#parsed(await this.#requestText("PUT", this.#page("/rules"), text)));
  }

  async decide(opener: string, peer: string, protocol: string): Promise<Decision> {
    return decisionIn(await this.#get("/rules/test", { opener, peer, protocol }));
  }

  /** The realm's audit trail, newest first. */
  async audit(count: number): Promise<AuditEntry[]> {
    return entriesIn(await this.#get("/audit", { limit: String(count) })).entries;
  }

  /** Ends all links of the realm. Its clients reconnect. */
  async restart(): Promise<void> {
    nothing(await this.#request("POST", "/restart"));
  }

  /** How many shards the realm has, and how many it is growing to. */
  async layout(): Promise<Layout> {
    return layoutIn(await this.#get("/shards"));
  }

  /** Makes the realm grow. It has not when this resolves. @param location where new shards are made */
  async grow(shards: number, location?: string): Promise<Layout> {
    return layoutIn(await this.#request("PUT", "/shards", { shards, location }));
  }

  /** What the realm has used since the count began. */
  async usage(): Promise<Usage> {
    return usageIn(await this.#get("/usage"));
  }

  /** Yields all clients in the order of their names, page by page. */
  async *list(): AsyncGenerator<ClientInfo> {
    let cursor = "";
    do {
      const page = clientsIn(await this.#get("/clients", { limit: String(pageLength), cursor }));
      yield* page.clients;
      const next = page.cursor ?? "";
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

  async #get(path: string, query?: Readonly<Record<string, string>>): Promise<unknown> {
    return this.#parsed(await this.#requestText("GET", this.#page(path, query)));
  }

  async #request(method: string, path: string, body?: object): Promise<unknown> {
    return this.#parsed(await this.#requestText(method, this.#page(path), body));
  }

  #parsed(answer: string): unknown {
    try {
      return answer === "" ? undefined : JSON.parse(answer);
    } catch {
      throw notUnderstood();
    }
  }

  /** @param body an object is sent as JSON. */
  async #requestText(method: string, page: URL, body?: object | string): Promise<string> {
    const { status, statusLine, location, type, text, atMs } = await this.#ask(method, page, body);
    this.#routerMs = atMs;
    // Captive portals answer with 200 too: a call that gives nothing must be answered with nothing.
    const isContent = status >= 200 && status <= 202;
    const hasContent = method !== "DELETE" && typeof body !== "string";
    if (status === 204 || (isContent && hasContent && /^(?:text\/plain|application\/json)?$/.test(type))) return text;
    // The change is made, and not all shards have confirmed it.
    if (status === 202 && type === "application/json") return text;
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

/** The answer to a change that has no content where all shards have confirmed it. */
function changeIn(value: unknown): Unconfirmed {
  return value === undefined ? {} : unconfirmedIn(value);
}

/** A key in the answer to a change. */
function changedKeyIn(value: unknown): TokenKeyInfo & Unconfirmed {
  const { unconfirmedShards } = perhapsUnconfirmedIn(value);
  return { ...keyIn(value), ...(unconfirmedShards !== null && { unconfirmedShards }) };
}

function pathOf(name: string): string {
  return `/clients/${encodeURIComponent(name)}`;
}
