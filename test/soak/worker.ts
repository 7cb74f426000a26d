// The router's Worker with one route more, for the soak: it makes the realm's object fail as a crash would.
import { defaultRealm } from "@messagepasser/protocol";
import worker, { RouterObject as DeployedObject } from "../../src/worker.ts";
import type { Env } from "../../src/env.ts";

export class RouterObject extends DeployedObject {
  /** Ends the object at once, with its sockets; the caller gets an error, never an answer. */
  soakAbort(): void {
    this.ctx.abort("aborted by the soak");
  }
}

interface SoakEnv extends Omit<Env, "ROUTER"> {
  readonly ROUTER: DurableObjectNamespace<RouterObject>;
}

// oxlint-disable-next-line import/no-default-export -- a Worker's handler is its module's default export.
export default {
  async fetch(request: Request, env: SoakEnv, context: ExecutionContext): Promise<Response> {
    if (new URL(request.url).pathname !== "/soak/abort") return worker.fetch(request, env, context);
    try {
      await env.ROUTER.getByName(defaultRealm).soakAbort();
    } catch {
      // As intended.
    }
    return new Response(null, { status: 204 });
  },
};
