import { join } from "node:path";
import { packageVersion, serverSystem, type System } from "../system.ts";

/** The least that a WebSocket server in Node does, with the same ends as the relay on workerd. */
export const wsRelay: System = serverSystem({
  name: "ws-relay",
  title: "opaque relay on Node",
  folder: import.meta.dirname,
  version: () => `ws ${packageVersion(join(import.meta.dirname, "../../../node_modules/ws/package.json"))}`,
  end: { module: join(import.meta.dirname, "../relay/ends.ts") },
});
