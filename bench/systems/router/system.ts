import { join } from "node:path";
import { addClient, setShards } from "../../../scripts/admin-client.ts";
import { startRouter } from "../../../scripts/router.ts";
import { withWorkerdId } from "../../processes/linux.ts";
import { nameOn } from "../../processes/sharded-router.ts";
import type { Role } from "../end.ts";
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

/** The router with a realm of two shards. @param receivers the shard of all receivers; senders are on shard 0 */
export function routerOfShards(receivers: 0 | 1): System {
  return {
    name: receivers === 0 ? "router-same-shard" : "router-across",
    title: receivers === 0 ? "same shard of two" : "across two shards",
    start: () => start("native", "native", receivers),
  };
}

const shardCount = 2;

/** @param receivers the shard of all receivers in a realm of two; default: a realm of one shard */
async function start(sender: EndFormat, receiver: EndFormat, receivers?: number): Promise<RunningSystem> {
  const [running, id] = await withWorkerdId(() => startRouter());
  if (receivers !== undefined) await setShards(running, shardCount);
  const placed = (name: string, role: Role): string =>
    receivers === undefined ? name : nameOn(role === "sender" ? 0 : receivers, shardCount, name);
  return {
    version: `messagepasser ${packageVersion(join(import.meta.dirname, "../../../client/package.json"))}`,
    processIds: [id],
    end: { module: join(import.meta.dirname, "ends.ts") },
    dial: async (role, ownName, peerName) => {
      const name = placed(ownName, role);
      const peer = placed(peerName, role === "sender" ? "receiver" : "sender");
      const secret = await addClient(running, name);
      return { url: running.url.href, name, secret, peer, variant: role === "sender" ? sender : receiver };
    },
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}
