import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { installed, installedPackages, serverSystem, type System } from "../system.ts";

/** A message broker, and its client over WebSocket. A round trip is a request, as its users would make it. */
export const nats: System = natsAs("nats", "NATS", "request");

/** The same broker with round trips as on the other systems: a bare message there, and one back. */
export const natsPublish: System = natsAs("nats-publish", "NATS, without its requests", "publish");

function natsAs(name: string, title: string, variant: string): System {
  const program = (): string => installed("bin/nats-server");
  return serverSystem({
    name,
    title,
    variant,
    folder: import.meta.dirname,
    version: () => {
      const client = installedPackages("@nats-io/nats-core");
      const [version] = /[\d.]+/.exec(execFileSync(program(), ["--version"], { encoding: "utf8" })) ?? [];
      return `nats-server ${version}, ${client}`;
    },
    command: () => [program(), "--config", join(import.meta.dirname, "nats.conf")],
  });
}
