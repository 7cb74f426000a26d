// The router's Worker with a route more, for the benchmark: what one shard of the realm has counted.
import { defaultRealm } from "@messagepasser/protocol";
import type { Env } from "../../src/env.ts";
import type { RouterObject } from "../../src/router-object.ts";
import { objectNameOf } from "../../src/shards/object-name.ts";
import worker from "../../src/worker.ts";

export { RouterObject } from "../../src/worker.ts";

interface ShardsEnv extends Omit<Env, "ROUTER"> {
  readonly ROUTER: DurableObjectNamespace<RouterObject>;
}

export default {
  async fetch(request: Request, env: ShardsEnv, context: ExecutionContext): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname !== "/bench/usage") return worker.fetch(request, env, context);
    const object = env.ROUTER.getByName(objectNameOf(defaultRealm, Number(searchParams.get("shard"))));
    const { shards } = await object.layout();
    return Response.json(await object.administer({ who: "the benchmark", shards }, "usage"));
  },
};
