import { keyIdOf, keyIdProblem, rfc3339Ms, routerLimits, utf8Length } from "@messagepasser/protocol";
import { type Context, Hono } from "hono";
import { forgetKeys } from "../credentials/key-cache.ts";
import type { KeyTerms } from "../credentials/key-store.ts";
import { publicKeyIn } from "../credentials/public-key.ts";
import { givenSource, newSource } from "../credentials/token-key.ts";
import { ProblemError } from "../problem.ts";
import { administer } from "./administer.ts";
import { changed } from "./answer.ts";
import { bad, fieldsIn } from "./body.ts";
import type { AdminEnv } from "./token.ts";

/** The routes for the keys of tokens, and for revoking tokens. */
export const keyRoutes = new Hono<AdminEnv>()
  .post("/realms/:realm/keys", async (context) => {
    const terms = await termsIn(context);
    const key = await administer(context, "addKey", terms);
    forgetKeys(context.req.param("realm"));
    if (key !== undefined) return changed(key, 201);
    const detail = `There is a key "${terms.id}", or the realm has ${routerLimits.maxTokenKeys} keys: remove one`;
    throw new ProblemError({ code: "key-taken", detail });
  })
  .get("/realms/:realm/keys", async (context) => context.json({ keys: await administer(context, "listKeys") }))
  .delete("/realms/:realm/keys/:id", async (context) => {
    const id = context.req.param("id");
    const removed = await administer(context, "removeKey", id);
    forgetKeys(context.req.param("realm"));
    if (removed === undefined) throw noSuchKey(id);
    return changed(removed, 204);
  })
  .post("/realms/:realm/tokens/revoke", async (context) => {
    const fields = await fieldsIn(context.req.raw, ["name", "key", "before"]);
    const name = textOf(fields, "name");
    const id = name === undefined ? textOf(fields, "key") : keyIdOf(name);
    if (id === undefined) throw bad('Give a "key", or the "name" of a holder, as in "+shop/ann"');
    const key = await administer(context, "revokeTokens", id, beforeIn(fields), name);
    forgetKeys(context.req.param("realm"));
    if (key === undefined) throw noSuchKey(id);
    return changed(key, 200);
  });

/** What a new key is to be, in the fields of a body. @throws ProblemError */
async function termsIn(context: Context<AdminEnv>): Promise<KeyTerms> {
  const names = ["id", "audiences", "maxLifeS", ...sources];
  const fields = await fieldsIn(context.req.raw, names);
  const id = textOf(fields, "id") ?? "";
  const rule = keyIdProblem(id);
  if (rule !== undefined) throw bad(`The key's "id" ${rule}`);
  const { audiences = [], maxLifeS = routerLimits.defaultTokenLifeS } = Object.fromEntries(fields);
  const areAudiences = Array.isArray(audiences) && audiences.every((each) => typeof each === "string" && each !== "");
  if (!areAudiences) throw bad('"audiences" must be a list of strings');
  if (!Number.isInteger(maxLifeS) || (maxLifeS as number) < 1 || (maxLifeS as number) > routerLimits.maxTokenLifeS)
    throw bad(`"maxLifeS" must be a whole number of seconds from 1 to ${routerLimits.maxTokenLifeS}`);
  const terms = { id, audiences: audiences as string[], maxLifeS: maxLifeS as number };
  return { ...terms, ...(await sourceIn(context, fields, id)) };
}

/** The fields of which a body has at most one. Without any the router makes a secret key. */
const sources = ["hmacKey", "publicKey", "jwksUrl"] as const;

async function sourceIn(
  { env, req }: Context<AdminEnv>,
  fields: ReadonlyMap<string, unknown>,
  id: string,
): Promise<Pick<KeyTerms, "algorithm" | "source">> {
  if (sources.filter((name) => fields.has(name)).length > 1) throw bad(`Give at most one of ${sources.join(", ")}`);
  const [hmacKey, jwksUrl] = [textOf(fields, "hmacKey"), textOf(fields, "jwksUrl")];
  if (hmacKey !== undefined) {
    const bytes = utf8Length(hmacKey);
    if (bytes < minHmacKeyBytes || bytes > routerLimits.maxGivenKeyBytes || !hmacKey.isWellFormed())
      throw bad(`"hmacKey" must have ${minHmacKeyBytes} to ${routerLimits.maxGivenKeyBytes} bytes in UTF-8`);
    const source = await givenSource(env.MP_PEPPER ?? "", req.param("realm") ?? "", id, hmacKey);
    return { algorithm: "HS256", source };
  }
  if (jwksUrl !== undefined) {
    const url = URL.parse(jwksUrl);
    const isGood = url?.protocol === "https:" && url.username === "" && url.password === "";
    if (!isGood || jwksUrl.length > routerLimits.maxUrlLength)
      throw bad(
        `"jwksUrl" must be an https URL of at most ${routerLimits.maxUrlLength} characters, without credentials`,
      );
    return { algorithm: "JWKS", source: { kind: "set", url: url.href } };
  }
  if (!fields.has("publicKey")) return { algorithm: "HS256", source: newSource() };
  const key = await publicKeyIn(fields.get("publicKey"));
  if (key === undefined)
    throw bad(
      '"publicKey" must be a public key in PEM (SPKI) or a JWK: EC with P-256, Ed25519, or RSA with at least 2048 bits',
    );
  return { algorithm: key.algorithm, source: { kind: "public", jwk: key.jwk } };
}

/** HMAC with SHA-256 wants as many as its digest has (RFC 7518, 3.2). */
const minHmacKeyBytes = 32;

/** The time before which tokens were issued that are to be revoked, in seconds since 1970. Default: now. @throws ProblemError */
function beforeIn(fields: ReadonlyMap<string, unknown>): number {
  // A token may have been issued in this second.
  const nextS = Math.floor(Date.now() / 1_000) + 1;
  const before = textOf(fields, "before");
  if (before === undefined) return nextS;
  const beforeMs = rfc3339Ms(before);
  if (beforeMs === undefined || beforeMs > nextS * 1_000)
    throw bad(
      '"before" must be a time that exists and is not in the future, in RFC 3339: as in "2026-01-31T12:00:00Z"',
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
