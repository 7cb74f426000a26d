import { env, exports } from "cloudflare:workers";
import { expect } from "vitest";
import type { NewSecret } from "../../src/credentials/credential-store.ts";
import type { RouterObject } from "../../src/router-object.ts";
import { type LinkOptions, RawLink } from "./raw-link.ts";

export const adminToken = set(env.MP_ADMIN_TOKEN);
export const pepper = set(env.MP_PEPPER);
export const adminHeaders = { authorization: `Bearer ${adminToken}` };

export interface AdminRequest {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: BodyInit;
}

/** A request to the admin API, with its token unless `headers` say otherwise. */
export function admin(
  path: string,
  { method = "GET", headers = adminHeaders, body }: AdminRequest = {},
): Promise<Response> {
  return exports.default.fetch(`https://router.test/admin/v1${path}`, {
    method,
    headers,
    ...(body !== undefined && { body }),
  });
}

/** A realm of a test's own, so that tests in one file can't disturb each other: storage isn't undone between them. */
export class Realm {
  readonly name = `test-${crypto.randomUUID()}`;

  get stub(): DurableObjectStub<RouterObject> {
    return env.ROUTER.getByName(this.name);
  }

  clientPath(name: string): string {
    return `/realms/${this.name}/clients/${encodeURIComponent(name)}`;
  }

  async add(name: string): Promise<NewSecret> {
    const body = JSON.stringify({ name });
    return secretIn(await admin(`/realms/${this.name}/clients`, { method: "POST", body }), 201);
  }

  async rotate(name: string): Promise<NewSecret> {
    return secretIn(await admin(`${this.clientPath(name)}/rotate`, { method: "POST" }), 200);
  }

  async revoke(name: string): Promise<void> {
    expect((await admin(this.clientPath(name), { method: "DELETE" })).status).toBe(204);
  }

  /** Adds a client and connects it. */
  async join(name: string, session?: string | null, options?: Pick<LinkOptions, "answersMarks">): Promise<RawLink> {
    const { secret } = await this.add(name);
    return this.link(name, secret, session, options);
  }

  link(
    name: string,
    secret: string,
    session?: string | null,
    options?: Pick<LinkOptions, "answersMarks">,
  ): Promise<RawLink> {
    return RawLink.connect({ realm: this.name, name, secret, session, ...options });
  }
}

function set(secret: string | undefined): string {
  if (secret === undefined) throw new Error("The tests need both of the Worker's secrets");
  return secret;
}

async function secretIn(response: Response, status: number): Promise<NewSecret> {
  expect(response.status).toBe(status);
  return response.json();
}

/** Checks that an answer is a problem (RFC 9457) that tells nothing of the inside. */
export async function expectProblem(response: Response, status: number, code: string): Promise<string> {
  expect(response.status).toBe(status);
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  expect(response.headers.get("cache-control")).toBe("no-store");
  const body = await response.json<Record<string, unknown>>();
  expect(body).toEqual({ type: "about:blank", status, code, detail: expect.any(String) });
  const detail = String(body["detail"]);
  expect(detail).not.toMatch(/\bat .*:\d+|Error:|\.ts\b|\.js\b|SQLITE|undefined|\[object/);
  return detail;
}
