import type { Buffer } from "node:buffer";
import { createHash, timingSafeEqual } from "node:crypto";
import { createMiddleware } from "hono/factory";
import { addressOf, countFailure } from "../entrance/failure-limit.ts";
import { type Env, isUnset } from "../env.ts";
import { notConfiguredRetryS, problemResponse } from "../problem.ts";

/** What the admin routes know about a request. */
export interface AdminEnv {
  Bindings: Env;
  Variables: {
    /** Which token was used and from which address, for the audit trail. */
    who: string;
  };
}

/** Refuses a request without an admin token, and a change without a token that may write. */
export const onlyWithToken = createMiddleware<AdminEnv>(async (context, next) => {
  const { MP_ADMIN_TOKEN, MP_ADMIN_READ_TOKEN, MP_PEPPER } = context.env;
  if (isUnset(MP_ADMIN_TOKEN) || isUnset(MP_PEPPER)) {
    const detail = 'The admin API is off: set MP_ADMIN_TOKEN and MP_PEPPER with "wrangler secret put"';
    return problemResponse({ code: "not-configured", detail, retryAfterS: notConfiguredRetryS });
  }
  const given = /^Bearer +(\S+)$/i.exec(context.req.header("authorization") ?? "")?.[1] ?? "";
  // Always compares both, so that the time tells nothing.
  const mayWrite = isSame(given, MP_ADMIN_TOKEN);
  const mayRead = isSame(given, MP_ADMIN_READ_TOKEN ?? "") && !isUnset(MP_ADMIN_READ_TOKEN);
  if (!mayWrite && !mayRead) {
    const failure = await countFailure(context.env, context.req.raw);
    if (failure !== undefined) return problemResponse(failure);
    const detail = "Send an admin token as a Bearer token";
    return problemResponse({ code: "unauthorized", detail }, { "www-authenticate": "Bearer" });
  }
  if (!mayWrite && context.req.method !== "GET") {
    const detail = "This token only reads: changes need the token in MP_ADMIN_TOKEN";
    return problemResponse({ code: "read-only", detail });
  }
  context.set("who", `${mayWrite ? "admin" : "reader"} at ${addressOf(context.req.raw) ?? "an unknown address"}`);
  await next();
  return undefined;
});

function isSame(given: string, expected: string): boolean {
  // The comparison needs equal lengths, and must not tell the token's length: so it compares digests.
  return timingSafeEqual(digest(given), digest(expected));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
