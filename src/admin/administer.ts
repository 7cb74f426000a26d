import type { Context } from "hono";
import type { AdminMethod, RealmAdmin } from "../realm/realm-admin.ts";
import { noRealm } from "./no-realm.ts";
import { makeRealm, realmExists } from "./realms.ts";
import { administerShards, objectOf } from "./shards.ts";
import type { AdminEnv } from "./token.ts";

/** Calls a method of a realm's object, or of those of its shards. Calls that give a realm something make the realm. */
export async function administer<Method extends AdminMethod>(
  context: Context<AdminEnv>,
  method: Method,
  ...parameters: Parameters<RealmAdmin[Method]>
): Promise<Awaited<ReturnType<RealmAdmin[Method]>>> {
  const { env } = context;
  const realm = context.req.param("realm") ?? "";
  if (method === "addClient" || method === "addKey" || method === "replaceRules") await makeRealm(env, realm);
  else if (!(await realmExists(env, realm))) {
    // It has all methods but the three above.
    const calls: Readonly<Record<string, unknown>> = noRealm;
    const call = calls[method] as (...parameters: unknown[]) => unknown;
    return call(...parameters) as Awaited<ReturnType<RealmAdmin[Method]>>;
  }
  const first = objectOf(env, realm, 0);
  const who = context.get("who");
  const count = await first.shards();
  if (count === 1) return await first.administer(who, method, ...parameters);
  return (await administerShards({ env, realm, who, count }, method, parameters)) as Awaited<
    ReturnType<RealmAdmin[Method]>
  >;
}
