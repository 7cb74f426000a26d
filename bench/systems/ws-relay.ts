import { readFileSync } from "node:fs";
import { join } from "node:path";
import { compiled } from "../compiled.ts";
import { startServer } from "./server-process.ts";
import type { RunningSystem, System } from "./system.ts";

/** The least that a WebSocket server in Node does: see ws-relay-server.ts. */
export const wsRelay: System = { name: "ws-relay", title: "opaque relay on Node", start };

async function start(): Promise<RunningSystem> {
  const { version } = JSON.parse(
    readFileSync(join(import.meta.dirname, "../../node_modules/ws/package.json"), "utf8"),
  ) as {
    readonly version: string;
  };
  const server = await startServer(
    [process.execPath, compiled(join(import.meta.dirname, "ws-relay-server.ts"))],
    /ws:\S+/,
  );
  return {
    version: `ws ${version}`,
    processIds: [server.id],
    end: { module: join(import.meta.dirname, "..", "ends", "relay-end.ts") },
    dial: (_role, name, peer) => Promise.resolve({ url: server.address, name, secret: "", peer }),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
