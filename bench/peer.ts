import { join } from "node:path";
import { CalledProcess } from "./called-process.ts";
import type { Calls } from "./calls.ts";
import { compiled } from "./compiled.ts";
import type { Dial } from "./ends/end.ts";
import type { Role, RunningSystem } from "./systems/system.ts";

/** A process with ends of what is measured. */
export type Peer = CalledProcess<Calls>;

/**
 * Starts a process and connects its ends.
 *
 * @param nodeOptions options of `node` itself, as for a profile.
 */
export async function startPeer(
  { end }: RunningSystem,
  role: Role,
  dials: readonly Dial[],
  nodeOptions: readonly string[] = [],
): Promise<Peer> {
  const peer: Peer = new CalledProcess(
    `${role} ${dials[0]?.name}`,
    "executable" in end
      ? [end.executable]
      : [process.execPath, ...nodeOptions, compiled(join(import.meta.dirname, "end-process.ts"))],
  );
  try {
    await peer.call("connect", { module: "module" in end ? compiled(end.module) : "", role, dials });
  } catch (error) {
    await peer[Symbol.asyncDispose]();
    throw error;
  }
  return peer;
}
