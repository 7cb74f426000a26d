import { env, exports } from "cloudflare:workers";
import { labelOf, subprotocols } from "@messagepasser/protocol";
import { formatOf } from "@messagepasser/protocol/formats";
import { expect } from "vitest";
import type { NewSecret } from "@messagepasser/protocol/admin";
import type { RouterObject } from "../../src/router-object.ts";
import { basic, newSession } from "../support/credentials.ts";
import { RawLink } from "../support/raw-link.ts";
import { type AnyLink, readingOf, type SegmentLink, segmentReading } from "../support/readings.ts";
import { socketOf, upgrade } from "./upgrade.ts";

export const adminToken = set(env.MP_ADMIN_TOKEN);
export const pepper = set(env.MP_PEPPER);
/** A call of the admin API as the Worker makes it in a realm of one shard. */
export const byTest = { who: "test", shards: 1 } as const;
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
  async join(name: string, session?: string | null): Promise<SegmentLink> {
    const { secret } = await this.add(name);
    return this.link(name, secret, session);
  }

  /** @param session undefined: a new one; `null`: the upgrade names none. */
  async link(name: string, secret: string, session: string | null = newSession(), instance = ""): Promise<SegmentLink> {
    const query = `?instance=${instance}${session === null ? "" : `&session=${session}`}`;
    const socket = await this.#dial(subprotocols.native, query, basic(name, secret));
    const link = new RawLink(socket, labelOf(name, instance), segmentReading);
    socket.accept();
    await link.welcomed();
    expect(link.welcome).toMatchObject({ realm: this.name, ...(session !== null && { session }) });
    return link;
  }

  /** The same in any format. */
  async joinIn(subprotocol: string, name: string): Promise<AnyLink> {
    const { secret } = await this.add(name);
    return this.linkIn(subprotocol, name, secret);
  }

  /** Takes the welcome where the format has one. */
  async linkIn(subprotocol: string, name: string, secret: string): Promise<AnyLink> {
    const link = await this.linkUnheard(subprotocol, name, secret);
    if (subprotocol === subprotocols.json)
      expect(await link.next()).toEqual({ type: "welcome", name, realm: this.name });
    else if (formatOf(subprotocol)?.addressing === "address") await link.welcomed();
    return link;
  }

  /** Leaves all that comes to be asked for. */
  async linkUnheard(subprotocol: string, name: string, secret: string): Promise<AnyLink> {
    const socket = await this.#dial(subprotocol, `?session=${newSession()}`, basic(name, secret));
    const link = new RawLink(socket, name, readingOf(subprotocol));
    socket.accept();
    return link;
  }

  async #dial(subprotocol: string, query: string, authorization: string): Promise<WebSocket> {
    const headers = { authorization, "sec-websocket-protocol": subprotocol };
    const response = await upgrade(`/connect/${this.name}${query}`, headers);
    const socket = await socketOf(response);
    expect(response.headers.get("sec-websocket-protocol")).toBe(subprotocol);
    return socket;
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
