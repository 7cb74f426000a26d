import { readFileSync } from "node:fs";
import { join } from "node:path";
import { addClient } from "../../scripts/admin-client.ts";
import { startRouter } from "../../scripts/router.ts";
import type { EndFormat } from "../ends/end.ts";
import { startedProcess } from "./processes.ts";
import type { RunningSystem, System } from "./system.ts";

/** The router, and its client on both ends. */
export const router: System = {
  name: "router",
  title: "MessagePasser",
  start: () => start("native", "native"),
};

/** The router with ends that write their frames in other formats. */
export function routerBetween(sender: EndFormat, receiver: EndFormat): System {
  return {
    name: `router-${sender}-${receiver}`,
    title: sender === receiver ? sender : `${sender} to ${receiver}`,
    start: () => start(sender, receiver),
  };
}

async function start(sender: EndFormat, receiver: EndFormat): Promise<RunningSystem> {
  const [running, processId] = await startedProcess("workerd", () => startRouter());
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, "../../client/package.json"), "utf8")) as {
    readonly version: string;
  };
  return {
    version: `messagepasser ${version}`,
    processIds: [processId],
    end: { module: join(import.meta.dirname, "..", "ends", "router-end.ts") },
    dial: async (role, name, peer) => ({
      url: running.url.href,
      name,
      secret: await addClient(running, name),
      peer,
      format: role === "sender" ? sender : receiver,
    }),
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}
