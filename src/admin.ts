import { Buffer } from "node:buffer";
import { createHash, timingSafeEqual } from "node:crypto";
import { nameProblem, realmProblem } from "@messagepasser/protocol";
import { type Context, Hono } from "hono";
import { createMiddleware } from "hono/factory";
import { type Env, isUnset } from "./env.ts";
import { badRequest, notConfiguredRetryS, type Problem, problemResponse } from "./problem.ts";
import type { RouterObject } from "./router-object.ts";

interface AdminEnv {
  Bindings: Env;
}

const maxBodyBytes = 4_096;
const defaultPageLength = 100;
const maxPageLength = 1_000;

const onlyWithToken = createMiddleware<AdminEnv>(async (context, next) => {
  const expected = context.env.MP_ADMIN_TOKEN;
  if (isUnset(expected) || isUnset(context.env.MP_PEPPER)) {
    const detail = 'The admin API is off: set MP_ADMIN_TOKEN and MP_PEPPER with "wrangler secret put"';
    return problemResponse({ status: 503, code: "not-configured", detail, retryAfterS: notConfiguredRetryS });
  }
  const given = /^Bearer +(\S+)$/i.exec(context.req.header("authorization") ?? "")?.[1] ?? "";
  // Digests are of one length, which the comparison needs, and tell nothing of the token's.
  if (!timingSafeEqual(digest(given), digest(expected))) {
    const problem = { status: 401, code: "unauthorized", detail: "Send the admin token as a Bearer token" };
    return problemResponse(problem, { "www-authenticate": "Bearer" });
  }
  await next();
  return undefined;
});

const onlyGoodRealm = createMiddleware<AdminEnv>(async (context, next) => {
  const rule = realmProblem(context.req.param("realm") ?? "");
  if (rule !== undefined) return problemResponse(badRequest(`The realm's name ${rule}`));
  await next();
  return undefined;
});

/** `/admin/v1`: the clients of a realm. PROTOCOL.md has the table. */
export const admin = new Hono<AdminEnv>()
  .use(onlyWithToken)
  .use("/realms/:realm/*", onlyGoodRealm)
  .post("/realms/:realm/clients", async (context) => {
    const name = await nameInBody(context.req.raw);
    if (typeof name !== "string") return problemResponse(name);
    const client = await objectOf(context).addClient(name);
    if (client !== undefined) return context.json(client, 201);
    return problemResponse({
      status: 409,
      code: "name-taken",
      detail: `There is a client "${name}": rotate or revoke it`,
    });
  })
  .get("/realms/:realm/clients", async (context) => {
    const limit = Number(context.req.query("limit") ?? defaultPageLength);
    if (!Number.isInteger(limit) || limit < 1 || limit > maxPageLength) {
      return problemResponse(badRequest(`"limit" must be a whole number from 1 to ${maxPageLength}`));
    }
    return context.json(await objectOf(context).listClients(context.req.query("cursor") ?? "", limit));
  })
  .post("/realms/:realm/clients/:name/rotate", async (context) => {
    const name = context.req.param("name");
    const client = await objectOf(context).rotateClient(name);
    return client === undefined ? problemResponse(noSuchClient(name)) : context.json(client);
  })
  .delete("/realms/:realm/clients/:name", async (context) => {
    const name = context.req.param("name");
    return (await objectOf(context).revokeClient(name)) ? context.body(null, 204) : problemResponse(noSuchClient(name));
  });

function objectOf(context: Context<AdminEnv>): DurableObjectStub<RouterObject> {
  return context.env.ROUTER.getByName(context.req.param("realm") ?? "");
}

/** The `name` in `{"name": …}`, or what is wrong with the body. */
async function nameInBody(request: Request): Promise<string | Problem> {
  const bytes = await limitedBytes(request);
  if (bytes === undefined) {
    return { status: 413, code: "too-large", detail: `The body must have at most ${maxBodyBytes} bytes` };
  }
  let body: unknown;
  try {
    body = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    return badRequest("The body is not JSON in UTF-8");
  }
  if (typeof body !== "object" || body === null || !("name" in body) || typeof body.name !== "string") {
    return badRequest('The body must be an object with a "name", a text');
  }
  const unknown = Object.keys(body).find((key) => key !== "name");
  if (unknown !== undefined) return badRequest(`Unknown field ${JSON.stringify(unknown.slice(0, 40))}`);
  const rule = nameProblem(body.name);
  return rule === undefined ? body.name : badRequest(`The client's name ${rule}`);
}

async function limitedBytes(request: Request): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += chunk.length;
    if (length > maxBodyBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function noSuchClient(name: string): Problem {
  return { status: 404, code: "no-such-client", detail: `There is no client ${JSON.stringify(name)} in this realm` };
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
