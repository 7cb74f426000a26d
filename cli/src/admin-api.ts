import type { AdminSettings } from "./settings.ts";
import { Failure, statusByCode, statuses } from "./status.ts";

/** A client as the router lists it. */
export interface ClientInfo {
  readonly name: string;
  readonly secretId: string;
  readonly revision: number;
  readonly changedAt: string;
}

/** A client with the secret that was made for it just now. */
export interface NewSecret extends ClientInfo {
  readonly secret: string;
}

const timeoutMs = 15_000;
const pageLength = 500;

/** The admin API of a router, for one realm. */
export class AdminApi {
  readonly #clients: string;
  readonly #origin: string;
  readonly #token: string;

  constructor({ url, realm, adminToken }: AdminSettings) {
    const base = new URL(url);
    base.protocol = base.protocol.replace(/^ws/, "http");
    this.#origin = base.origin;
    this.#clients = `${base.origin}${base.pathname.replace(/\/$/, "")}/admin/v1/realms/${realm}/clients`;
    this.#token = adminToken;
  }

  async add(name: string): Promise<NewSecret> {
    return newSecretOf(await this.#request("POST", "", { name }));
  }

  async rotate(name: string): Promise<NewSecret> {
    return newSecretOf(await this.#request("POST", `/${encodeURIComponent(name)}/rotate`));
  }

  async revoke(name: string): Promise<void> {
    await this.#request("DELETE", `/${encodeURIComponent(name)}`);
  }

  /** All clients in the order of their names, page by page. */
  async *list(): AsyncGenerator<ClientInfo> {
    let cursor: unknown = "";
    do {
      const query = new URLSearchParams({ limit: String(pageLength), cursor: String(cursor) });
      const page = new Map<string, unknown>(Object.entries((await this.#request("GET", `?${query.toString()}`)) ?? {}));
      const clients = page.get("clients");
      if (!Array.isArray(clients)) throw notUnderstood();
      yield* clients.map(clientOf);
      cursor = page.get("cursor");
    } while (typeof cursor === "string" && cursor !== "");
  }

  async #request(method: string, path: string, body?: object): Promise<object | undefined> {
    const { status, text } = await this.#fetch(method, path, body);
    if (status === 204) return undefined;
    const value = parsed(text);
    if (status >= 200 && status < 300) {
      if (value === undefined) throw notUnderstood();
      return value;
    }
    if (status === 401) throw new Failure(statuses.notLetIn, `The router at ${this.#origin} refused the admin token`);
    const fields = new Map<string, unknown>(Object.entries(value ?? {}));
    const code = fields.get("code");
    const detail = fields.get("detail");
    const known = typeof code === "string" ? statusByCode[code] : undefined;
    const sentence = typeof detail === "string" ? detail : `${this.#origin} answered with HTTP status ${status}`;
    throw new Failure(known ?? (status >= 500 ? statuses.unreachable : statuses.usage), sentence);
  }

  async #fetch(method: string, path: string, body?: object): Promise<{ status: number; text: string }> {
    try {
      const response = await fetch(this.#clients + path, {
        method,
        headers: { authorization: `Bearer ${this.#token}`, ...(body && { "content-type": "application/json" }) },
        ...(body && { body: JSON.stringify(body) }),
        // Where the token goes is for the user to say, not for an answer.
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

function clientOf(value: unknown): ClientInfo {
  const fields = new Map<string, unknown>(Object.entries(value ?? {}));
  const [name, secretId, changedAt] = ["name", "secretId", "changedAt"].map((field) => fields.get(field));
  const revision = fields.get("revision");
  if (typeof name !== "string" || typeof secretId !== "string") throw notUnderstood();
  if (typeof changedAt !== "string" || typeof revision !== "number") throw notUnderstood();
  return { name, secretId, revision, changedAt };
}

function newSecretOf(value: object | undefined): NewSecret {
  const secret = new Map<string, unknown>(Object.entries(value ?? {})).get("secret");
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
  return new Failure(statuses.failed, "The router's answer is not understood: is it of the same version as mp?");
}

/** `fetch` says only that it failed; its causes say why. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return `no answer within ${timeoutMs} ms`;
  if (error.cause !== undefined) return reasonOf(error.cause);
  const [first] = error instanceof AggregateError ? error.errors : [];
  return first === undefined ? error.message : reasonOf(first);
}
