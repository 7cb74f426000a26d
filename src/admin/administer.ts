import type { Context } from "hono";
import type { AdministeredObject, AdminMethod, RealmAdmin } from "../realm/realm-admin.ts";
import { noRealm } from "./no-realm.ts";
import { makeRealm, realmExists } from "./realms.ts";
import type { AdminEnv } from "./token.ts";

/** Calls a method of a realm's object. Calls that give a realm something make the realm. */
export async function administer<Method extends AdminMethod>(
  context: Context<AdminEnv>,
  method: Method,
  ...parameters: Parameters<RealmAdmin[Method]>
): Promise<Awaited<ReturnType<RealmAdmin[Method]>>> {
  const realm = context.req.param("realm") ?? "";
  if (method === "addClient" || method === "addKey" || method === "replaceRules") await makeRealm(context.env, realm);
  else if (!(await realmExists(context.env, realm))) {
    // It has all methods but the three above.
    const calls: Readonly<Record<string, unknown>> = noRealm;
    const call = calls[method] as (...parameters: unknown[]) => unknown;
    return call(...parameters) as Awaited<ReturnType<RealmAdmin[Method]>>;
  }
  // The types of RPC can't express that the parameters and the result depend on the method.
  const object = context.env.ROUTER.getByName(realm) as unknown as AdministeredObject;
  return await object.administer(context.get("who"), method, ...parameters);
}
