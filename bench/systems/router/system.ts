import { join } from "node:path";
import { addClient } from "../../../scripts/admin-client.ts";
import { startRouter } from "../../../scripts/router.ts";
import { withWorkerdId } from "../../processes/linux.ts";
import { packageVersion, type RunningSystem, type System } from "../system.ts";

/** How an end writes its frames. */
export type EndFormat = "native" | "msgpack" | "protobuf" | "json";

/** The router, with its published client on both ends. */
export const router: System = { name: "router", title: "MessagePasser", start: () => start("native", "native") };

/** The router between ends that write their frames in other formats. */
export function routerBetween(sender: EndFormat, receiver: EndFormat): System {
  return {
    name: `router-${sender}-${receiver}`,
    title: sender === receiver ? sender : `${sender} to ${receiver}`,
    start: () => start(sender, receiver),
  };
}

async function start(sender: EndFormat, receiver: EndFormat): Promise<RunningSystem> {
  const [running, id] = await withWorkerdId(() => startRouter());
  return {
    version: `messagepasser ${packageVersion(join(import.meta.dirname, "../../../client/package.json"))}`,
    processIds: [id],
    end: { module: join(import.meta.dirname, "ends.ts") },
    dial: async (role, name, peer) => {
      const secret = await addClient(running, name);
      return { url: running.url.href, name, secret, peer, variant: role === "sender" ? sender : receiver };
    },
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}
