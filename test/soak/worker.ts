// The router's Worker with two routes more, for the soak: one makes the realm's object fail as a crash would, the other sets
// the clock that the router reads.
import { defaultRealm } from "@messagepasser/protocol";
import worker, { RouterObject as DeployedObject } from "../../src/worker.ts";
import type { Env } from "../../src/env.ts";
import { objectNameOf } from "../../src/shards/object-name.ts";

export class RouterObject extends DeployedObject {
  /** Ends the object at once, with its sockets; the caller gets an error, never an answer. */
  soakAbort(): void {
    this.ctx.abort("aborted by the soak");
  }
}

const trueNow = Date.now.bind(Date);

interface SoakEnv extends Omit<Env, "ROUTER"> {
  readonly ROUTER: DurableObjectNamespace<RouterObject>;
}

// oxlint-disable-next-line import/no-default-export -- a Worker's handler is its module's default export.
export default {
  async fetch(request: Request, env: SoakEnv, context: ExecutionContext): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/soak/clock") {
      // The object runs in the same isolate.
      Date.now = () => trueNow() + Number(searchParams.get("ms"));
      return new Response(null, { status: 204 });
    }
    if (pathname !== "/soak/abort") return worker.fetch(request, env, context);
    try {
      const shard = Number(searchParams.get("shard"));
      await env.ROUTER.getByName(objectNameOf(defaultRealm, shard)).soakAbort();
    } catch {
      // As intended.
    }
    return new Response(null, { status: 204 });
  },
};
