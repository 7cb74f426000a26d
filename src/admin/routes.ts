import { realmProblem, routerLimits } from "@messagepasser/protocol";
import { type Context, Hono } from "hono";
import { createMiddleware } from "hono/factory";
import { administer } from "./administer.ts";
import { changed } from "./answer.ts";
import { bad, fieldsIn, nameIn, textIn, validityIn } from "./body.ts";
import { keyRoutes } from "./key-routes.ts";
import { ProblemError } from "../problem.ts";
import { restartReason } from "../realm/realm-admin.ts";
import { shardRoutes } from "./shard-routes.ts";
import { type AdminEnv, onlyWithToken } from "./token.ts";

const onlyGoodRealm = createMiddleware<AdminEnv>(async (context, next) => {
  const rule = realmProblem(context.req.param("realm") ?? "");
  if (rule !== undefined) throw bad(`The realm's name ${rule}`);
  await next();
});

/** Tells the router's time, as the edge does: on an owner's own machine there is none. */
const withTime = createMiddleware<AdminEnv>(async (context, next) => {
  await next();
  context.header("date", new Date().toUTCString());
});

/** The routes under `/admin/v1`; ADMIN.md has the table. */
export const admin = new Hono<AdminEnv>()
  .use(onlyWithToken)
  .use(withTime)
  .use("/realms/:realm/*", onlyGoodRealm)
  .post("/realms/:realm/clients", async (context) => {
    const fields = await fieldsIn(context.req.raw, ["name", "expiresAt"]);
    const name = nameIn(fields);
    const client = await administer(context, "addClient", name, validityIn(fields));
    if (client !== undefined) return context.json(client, 201);
    throw new ProblemError({ code: "name-taken", detail: `There is a client "${name}": rotate or revoke it` });
  })
  .get("/realms/:realm/clients", async (context) => {
    const limit = limitOf(context);
    return context.json(await administer(context, "listClients", context.req.query("cursor") ?? "", limit));
  })
  .get("/realms/:realm/clients/:name", async (context) =>
    answer(context, await administer(context, "client", context.req.param("name"))),
  )
  .post("/realms/:realm/clients/:name/rotate", async (context) => {
    const validity = validityIn(await fieldsIn(context.req.raw, ["expiresAt", "overlapS"]));
    return answer(context, await administer(context, "rotateClient", context.req.param("name"), validity));
  })
  .post("/realms/:realm/clients/:name/disable", async (context) => await setDisabled(context, true))
  .post("/realms/:realm/clients/:name/enable", async (context) => await setDisabled(context, false))
  .delete("/realms/:realm/clients/:name", async (context) => {
    const name = context.req.param("name");
    if (!(await administer(context, "revokeClient", name))) throw noSuchClient(name);
    return context.body(null, 204);
  })
  .route("/", keyRoutes)
  .route("/", shardRoutes)
  .get("/realms/:realm/rules", async (context) => context.text(await administer(context, "rulesText")))
  .put("/realms/:realm/rules", async (context) => {
    const text = await textIn(context.req.raw, routerLimits.maxRulesBytes);
    const { problem, ...told } = await administer(context, "replaceRules", text);
    if (problem !== undefined) throw bad(problem);
    return changed(told, 204);
  })
  .get("/realms/:realm/rules/test", async (context) => {
    const { opener, peer, protocol } = context.req.query();
    if (opener === undefined || peer === undefined || protocol === undefined)
      throw bad("Ask with ?opener=, &peer= and &protocol=");
    return context.json(await administer(context, "decide", opener, peer, protocol));
  })
  .get("/realms/:realm/audit", async (context) => {
    const limit = limitOf(context);
    const before = Number(context.req.query("before") ?? Infinity);
    if (Number.isNaN(before)) throw bad('"before" must be the number of an entry');
    return context.json({ entries: await administer(context, "auditPage", before, limit) });
  })
  .post("/realms/:realm/restart", async (context) => {
    await fieldsIn(context.req.raw, []);
    try {
      await administer(context, "restart");
    } catch (error) {
      if (!(error instanceof Error && error.message.includes(restartReason))) throw error;
    }
    return context.body(null, 204);
  })
  .get("/realms/:realm/usage", async (context) => context.json(await administer(context, "usage")));

async function setDisabled(context: Context<AdminEnv>, isDisabled: boolean): Promise<Response> {
  await fieldsIn(context.req.raw, []);
  return answer(context, await administer(context, "setDisabled", context.req.param("name") ?? "", isDisabled));
}

function answer(context: Context<AdminEnv>, client: object | undefined): Response {
  if (client === undefined) throw noSuchClient(context.req.param("name") ?? "");
  return context.json(client);
}

function limitOf(context: Context<AdminEnv>): number {
  const limit = Number(context.req.query("limit") ?? routerLimits.defaultAdminPageLength);
  if (!Number.isInteger(limit) || limit < 1 || limit > routerLimits.maxAdminPageLength)
    throw bad(`"limit" must be a whole number from 1 to ${routerLimits.maxAdminPageLength}`);
  return limit;
}

function noSuchClient(name: string): ProblemError {
  const detail = `There is no client ${JSON.stringify(name)} in this realm`;
  return new ProblemError({ code: "no-such-client", detail });
}
