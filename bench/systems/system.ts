import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Child, type Command } from "../processes/child.ts";
import { nodeCommand } from "../processes/compiled.ts";
import { withWorkerdId } from "../processes/linux.ts";
import { startWorker } from "../processes/worker.ts";
import type { Dial, Role } from "./end.ts";

/** Something that carries messages between two programs: the router, or what people would use instead. */
export interface System {
  /** As in options, results and file names: "router", "nats". */
  readonly name: string;
  /** As in tables and charts. */
  readonly title: string;
  /** @throws AbsentError when the system isn't on this machine. */
  start(): Promise<RunningSystem>;
}

/** A server that is up, with no ends connected. */
export interface RunningSystem extends AsyncDisposable {
  /** Of the server and of its client, as in "nats-server 2.15.2, @nats-io/nats-core 3.4.0". */
  readonly version: string;
  /** The server's processes, whose processor time is the server's. */
  readonly processIds: readonly number[];
  /** The code of the ends: an `EndModule`, or a program that answers the calls of ends-process.ts. */
  readonly end: { readonly module: string } | { readonly program: string };
  /** Makes sure that an end of this name may connect. The other end is dialled with the names swapped. */
  dial(role: Role, name: string, peer: string): Promise<Dial>;
}

/** A system that can't be measured on this machine. The message says how it could be. */
export class AbsentError extends Error {}

interface Description extends Pick<System, "name" | "title"> {
  /** The system's own, with its ends in `ends.ts`. */
  readonly folder: string;
  /** @throws AbsentError */
  version(): string;
  /** Default: `ends.ts` of the folder. */
  readonly end?: RunningSystem["end"];
  readonly variant?: string;
}

/** A system whose server is a process that prints its address. By default it runs `server.ts` of the folder. */
export function serverSystem(description: Description & { command?(): Command }): System {
  const { name, title, folder, command = () => nodeCommand(join(folder, "server.ts")) } = description;
  const start = async (): Promise<RunningSystem> => {
    const version = description.version();
    const server = new Child(`server of ${title}`, command());
    return running(description, version, [server.id, await server.address()], () => server[Symbol.asyncDispose]());
  };
  return { name, title, start };
}

/** A system whose server is a Worker with one class of Durable Objects, `Relay`. */
export function workerSystem(description: Description & { readonly worker: string; readonly binding: string }): System {
  const { name, title, worker, binding } = description;
  const start = async (): Promise<RunningSystem> => {
    const version = description.version();
    const [miniflare, id] = await withWorkerdId(() => startWorker(name, worker, binding));
    const { host } = await miniflare.ready;
    return running(description, version, [id, `ws://${host}`], () => miniflare.dispose());
  };
  return { name, title, start };
}

function running(
  { folder, end = { module: join(folder, "ends.ts") }, variant }: Description,
  version: string,
  [id, url]: readonly [id: number, url: string],
  dispose: () => Promise<void>,
): RunningSystem {
  return {
    version,
    processIds: [id],
    end,
    dial: (_role, name, peer) =>
      Promise.resolve({ url, name, secret: "none", peer, ...(variant !== undefined && { variant }) }),
    [Symbol.asyncDispose]: dispose,
  };
}

/**
 * Packages that `npm run bench:peers` installs and their versions, as in "socket.io 4.8.4, socket.io-client 4.8.4".
 *
 * @throws AbsentError
 */
export function installedPackages(...names: string[]): string {
  const fileOf = (name: string): string => installed(join("node_modules", name, "package.json"));
  return names.map((name) => `${name} ${packageVersion(fileOf(name))}`).join(", ");
}

/** The version in a package.json. */
export function packageVersion(file: string): string {
  return (JSON.parse(readFileSync(file, "utf8")) as { readonly version: string }).version;
}

/** What `npm run bench:peers` puts into this folder: packages, and programs in `bin`. @throws AbsentError */
export function installed(name: string): string {
  const file = join(import.meta.dirname, name);
  if (!existsSync(file)) throw new AbsentError("`npm run bench:peers` installs it");
  return file;
}
