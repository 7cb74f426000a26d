import { routerLimits } from "@messagepasser/protocol";
import { locations, type RealmLayout } from "@messagepasser/protocol/admin";
import { Hono } from "hono";
import type { Env } from "../env.ts";
import { ProblemError } from "../problem.ts";
import { administer } from "./administer.ts";
import { bad, fieldsIn } from "./body.ts";
import { realmExists } from "./realms.ts";
import { administeredObject } from "./shards.ts";
import type { AdminEnv } from "./token.ts";

/** The routes for the number of a realm's shards. */
export const shardRoutes = new Hono<AdminEnv>()
  .get("/realms/:realm/shards", async (context) =>
    context.json(await layoutOf(context.env, context.req.param("realm"))),
  )
  .put("/realms/:realm/shards", async (context) => {
    const fields = await fieldsIn(context.req.raw, ["shards", "location"]);
    const shards = fields.get("shards");
    if (typeof shards !== "number" || !Number.isInteger(shards) || shards < 1 || shards > routerLimits.maxShards)
      throw bad(`"shards" must be a whole number from 1 to ${routerLimits.maxShards}`);
    const location = locations.find((known) => known === fields.get("location"));
    if (fields.has("location") && location === undefined)
      throw bad(`"location" must be one of ${locations.join(", ")}`);
    const problem = await administer(context, "grow", shards, location);
    if (problem !== undefined) throw new ProblemError({ code: "too-few-shards", detail: problem });
    const layout = await layoutOf(context.env, context.req.param("realm"));
    return context.json(layout, layout.target === undefined ? 200 : 202);
  });

async function layoutOf(env: Env, realm: string): Promise<RealmLayout> {
  return (await realmExists(env, realm)) ? await administeredObject(env, realm, 0).layout() : { shards: 1 };
}
