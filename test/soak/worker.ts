// The router's Worker with three routes more, for the soak: one makes the realm's object fail as a crash would, one has it
// lose calls of other shards, and one sets the clock that the router reads.
import { defaultRealm } from "@messagepasser/protocol";
import worker, { RouterObject as DeployedObject } from "../../src/worker.ts";
import type { Env } from "../../src/env.ts";
import { objectNameOf } from "../../src/shards/object-name.ts";

export class RouterObject extends DeployedObject {
  #callsToLose = 0;

  /** Ends the object at once, with its sockets; the caller gets an error, never an answer. */
  soakAbort(): void {
    this.ctx.abort("aborted by the soak");
  }

  /** The next calls of other shards get no answer, and every other one is carried out. */
  soakLoseCalls(count: number): void {
    this.#callsToLose = count;
  }

  override takeCall(...parameters: Parameters<DeployedObject["takeCall"]>): Uint8Array {
    if (this.#callsToLose === 0) return super.takeCall(...parameters);
    if (this.#callsToLose-- % 2 === 0) super.takeCall(...parameters);
    throw new Error("lost by the soak");
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
    const object = env.ROUTER.getByName(objectNameOf(defaultRealm, Number(searchParams.get("shard"))));
    if (pathname === "/soak/lose") await object.soakLoseCalls(Number(searchParams.get("count")));
    else if (pathname === "/soak/abort") {
      try {
        await object.soakAbort();
      } catch {
        // As intended.
      }
    } else return worker.fetch(request, env, context);
    return new Response(null, { status: 204 });
  },
};
