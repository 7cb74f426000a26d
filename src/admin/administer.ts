import type { Context } from "hono";
import type { AdminMethod, RealmAdmin } from "../realm/realm-admin.ts";
import { noRealm } from "./no-realm.ts";
import { makeRealm, realmExists } from "./realms.ts";
import { administerShards } from "./shards.ts";
import type { AdminEnv } from "./token.ts";

/** Calls a method of those of a realm's objects that it concerns. Calls that give a realm something make the realm. */
export async function administer<Method extends AdminMethod>(
  context: Context<AdminEnv>,
  method: Method,
  ...parameters: Parameters<RealmAdmin[Method]>
): Promise<Awaited<ReturnType<RealmAdmin[Method]>>> {
  const { env } = context;
  const realm = context.req.param("realm") ?? "";
  const makesRealm = method === "addClient" || method === "addKey" || method === "replaceRules" || method === "grow";
  if (makesRealm) await makeRealm(env, realm);
  else if (!(await realmExists(env, realm))) {
    // It has all methods but the four above.
    const calls: Readonly<Record<string, unknown>> = noRealm;
    const call = calls[method] as (...parameters: unknown[]) => unknown;
    return call(...parameters) as Awaited<ReturnType<RealmAdmin[Method]>>;
  }
  return (await administerShards({ env, realm, who: context.get("who") }, method, parameters)) as Awaited<
    ReturnType<RealmAdmin[Method]>
  >;
}
