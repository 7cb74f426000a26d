import { routerLimits } from "@messagepasser/protocol";
import { type Context, Hono } from "hono";
import { ProblemError } from "../problem.ts";
import { bad, fieldsIn } from "./body.ts";
import { makeRealm, realmExists } from "./realms.ts";
import { objectOf } from "./shards.ts";
import type { AdminEnv } from "./token.ts";

/** The routes for the number of a realm's shards. */
export const shardRoutes = new Hono<AdminEnv>()
  .get("/realms/:realm/shards", async (context) => {
    const realm = context.req.param("realm");
    const exists = await realmExists(context.env, realm);
    return context.json({ shards: exists ? await objectOf(context.env, realm, 0).shards() : 1 });
  })
  .put("/realms/:realm/shards", async (context) => {
    const shards: unknown = Object.fromEntries(await fieldsIn(context.req.raw, ["shards"]))["shards"];
    if (typeof shards !== "number" || !Number.isInteger(shards) || shards < 1 || shards > routerLimits.maxShards)
      throw bad(`"shards" must be a whole number from 1 to ${routerLimits.maxShards}`);
    await setShards(context, shards);
    return context.body(null, 204);
  });

/** Gives a realm its shards, which works once, before it has clients. @throws ProblemError */
async function setShards(context: Context<AdminEnv>, count: number): Promise<void> {
  const { env } = context;
  const realm = context.req.param("realm") ?? "";
  await makeRealm(env, realm);
  const first = objectOf(env, realm, 0);
  const before = await first.shards();
  if (before === count) return;
  if (before > 1) throw fixed(`The realm has ${before} shards, and their number can't be changed`);
  const who = context.get("who");
  // The first one last: until it knows of the others, they are not asked.
  for (let shard = count - 1; shard >= 0; shard--) {
    const problem = await objectOf(env, realm, shard).administer(who, "becomeShard", count);
    if (problem !== undefined) throw fixed(problem);
  }
}

function fixed(detail: string): ProblemError {
  return new ProblemError({ code: "shards-fixed", detail });
}
