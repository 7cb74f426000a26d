import { keyIdOf, keyIdProblem, routerLimits } from "@messagepasser/protocol";
import { rfc3339Ms } from "@messagepasser/protocol";
import { Hono } from "hono";
import { forgetKeys } from "../credentials/key-cache.ts";
import type { KeyTerms } from "../credentials/key-store.ts";
import { newSource } from "../credentials/token-key.ts";
import { ProblemError } from "../problem.ts";
import { administer } from "./administer.ts";
import { bad, fieldsIn } from "./body.ts";
import type { AdminEnv } from "./token.ts";

/** The routes for the keys of tokens, and for revoking tokens. */
export const keyRoutes = new Hono<AdminEnv>()
  .post("/realms/:realm/keys", async (context) => {
    const fields = await fieldsIn(context.req.raw, ["id", "audiences", "maxLifeS"]);
    const terms = termsIn(fields);
    const key = await administer(context, "addKey", terms);
    forgetKeys(context.req.param("realm"));
    if (key !== undefined) return context.json(key, 201);
    const detail = `There is a key "${terms.id}", or the realm has ${routerLimits.maxTokenKeys} keys: remove one`;
    throw new ProblemError({ code: "key-taken", detail });
  })
  .get("/realms/:realm/keys", async (context) => context.json({ keys: await administer(context, "listKeys") }))
  .delete("/realms/:realm/keys/:id", async (context) => {
    const id = context.req.param("id");
    const isRemoved = await administer(context, "removeKey", id);
    forgetKeys(context.req.param("realm"));
    if (!isRemoved) throw noSuchKey(id);
    return context.body(null, 204);
  })
  .post("/realms/:realm/tokens/revoke", async (context) => {
    const fields = await fieldsIn(context.req.raw, ["name", "key", "before"]);
    const name = textOf(fields, "name");
    const id = name === undefined ? textOf(fields, "key") : keyIdOf(name);
    if (id === undefined) throw bad('Give a "key", or the "name" of a holder, as in "+shop/ann"');
    const key = await administer(context, "revokeTokens", id, beforeIn(fields), name);
    forgetKeys(context.req.param("realm"));
    if (key === undefined) throw noSuchKey(id);
    return context.json(key);
  });

/** What a new key is to be, in the fields of a body. @throws ProblemError */
function termsIn(fields: ReadonlyMap<string, unknown>): KeyTerms {
  const id = textOf(fields, "id") ?? "";
  const rule = keyIdProblem(id);
  if (rule !== undefined) throw bad(`The key's "id" ${rule}`);
  const { audiences = [], maxLifeS = routerLimits.defaultTokenLifeS } = Object.fromEntries(fields);
  const areAudiences = Array.isArray(audiences) && audiences.every((each) => typeof each === "string" && each !== "");
  if (!areAudiences) throw bad('"audiences" must be a list of strings');
  if (!Number.isInteger(maxLifeS) || (maxLifeS as number) < 1 || (maxLifeS as number) > routerLimits.maxTokenLifeS)
    throw bad(`"maxLifeS" must be a whole number of seconds from 1 to ${routerLimits.maxTokenLifeS}`);
  return {
    id,
    algorithm: "HS256",
    source: newSource(),
    audiences: audiences as string[],
    maxLifeS: maxLifeS as number,
  };
}

/** The time before which tokens were issued that are to be revoked, in seconds since 1970. Default: now. @throws ProblemError */
function beforeIn(fields: ReadonlyMap<string, unknown>): number {
  // A token may have been issued in this second.
  const nextS = Math.floor(Date.now() / 1_000) + 1;
  const before = textOf(fields, "before");
  if (before === undefined) return nextS;
  const beforeMs = rfc3339Ms(before);
  if (beforeMs === undefined || beforeMs > nextS * 1_000)
    throw bad(
      '"before" must be a time that exists and is not in the future, in RFC 3339: as in "2030-01-31T12:00:00Z"',
    );
  return Math.ceil(beforeMs / 1_000);
}

function textOf(fields: ReadonlyMap<string, unknown>, name: string): string | undefined {
  const value = fields.get(name);
  if (value !== undefined && typeof value !== "string") throw bad(`"${name}" must be a string`);
  return value;
}

function noSuchKey(id: string): ProblemError {
  return new ProblemError({ code: "no-such-key", detail: `There is no key ${JSON.stringify(id)} in this realm` });
}
