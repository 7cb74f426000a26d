import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { builtProgram, installedPackages, peersFolder } from "./installed.ts";
import { startServer } from "./server-process.ts";
import type { RunningSystem, System } from "./system.ts";

/** A message broker, and its client over WebSocket. Round trips are requests, as its users would have them. */
export const nats: System = { name: "nats", title: "NATS", start: () => start("nats-end.ts") };

/** The same with round trips as everybody else has them: a bare message there, and one back. */
export const natsPublish: System = {
  name: "nats-publish",
  title: "NATS, without its requests",
  start: () => start("nats-publish-end.ts"),
};

async function start(end: string): Promise<RunningSystem> {
  const client = installedPackages("@nats-io/nats-core");
  const program = builtProgram("nats-server", "with Go on this machine `npm run bench:peers` builds its server");
  const [version = ""] = /[\d.]+/.exec(execFileSync(program, ["--version"], { encoding: "utf8" })) ?? [];
  const server = await startServer([program, "--config", join(peersFolder, "nats.conf")], /ws:\/\/127\.\S+/);
  return {
    version: `nats-server ${version}, ${client}`,
    processIds: [server.id],
    end: { module: join(peersFolder, "ends", end) },
    dial: (_role, name, peer) => Promise.resolve({ url: server.address, name, secret: "", peer }),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
