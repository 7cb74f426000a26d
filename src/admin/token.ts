import type { Buffer } from "node:buffer";
import { createHash, timingSafeEqual } from "node:crypto";
import { createMiddleware } from "hono/factory";
import { type Env, isUnset } from "../env.ts";
import { addressOf, problemOfFailure } from "../entrance/failure-limit.ts";
import { notConfiguredRetryS, problemResponse } from "../problem.ts";

/** What admin routes know of a request. */
export interface AdminEnv {
  Bindings: Env;
  Variables: {
    /** Whose token it was, and from where, for the audit trail. */
    who: string;
  };
}

/** Lets a request through that has an admin token, one that only reads where it only reads. */
export const onlyWithToken = createMiddleware<AdminEnv>(async (context, next) => {
  const { MP_ADMIN_TOKEN, MP_ADMIN_READ_TOKEN, MP_PEPPER } = context.env;
  if (isUnset(MP_ADMIN_TOKEN) || isUnset(MP_PEPPER)) {
    const detail = 'The admin API is off: set MP_ADMIN_TOKEN and MP_PEPPER with "wrangler secret put"';
    return problemResponse({ code: "not-configured", detail, retryAfterS: notConfiguredRetryS });
  }
  const given = /^Bearer +(\S+)$/i.exec(context.req.header("authorization") ?? "")?.[1] ?? "";
  // Both are compared whatever the first says, so that the time tells nothing.
  const mayWrite = isSame(given, MP_ADMIN_TOKEN);
  const mayRead = isSame(given, MP_ADMIN_READ_TOKEN ?? "") && !isUnset(MP_ADMIN_READ_TOKEN);
  if (!mayWrite && !mayRead) {
    const failure = await problemOfFailure(context.env, context.req.raw);
    if (failure !== undefined) return problemResponse(failure);
    const detail = "Send an admin token as a Bearer token";
    return problemResponse({ code: "unauthorized", detail }, { "www-authenticate": "Bearer" });
  }
  if (!mayWrite && context.req.method !== "GET") {
    const detail = "This token only reads: changes need the one in MP_ADMIN_TOKEN";
    return problemResponse({ code: "read-only", detail });
  }
  context.set("who", `${mayWrite ? "admin" : "reader"} at ${addressOf(context.req.raw) ?? "an unknown address"}`);
  await next();
  return undefined;
});

function isSame(given: string, expected: string): boolean {
  // Digests are of one length, which the comparison needs, and tell nothing of the token's.
  return timingSafeEqual(digest(given), digest(expected));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
