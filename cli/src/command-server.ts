import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { type Connection, ConnectionError } from "messagepasser";
import { IdleTimer } from "./idle-timer.ts";
import { note, write } from "./output.ts";
import { Shares } from "./shares.ts";
import { durationText } from "./times.ts";
import { reasonOf } from "./status.ts";

type Child = ChildProcessByStdio<Writable, Readable, null>;

/** How a process ended. Exactly one of the two is `null`. */
interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A command that has closed its output usually exits at once. After this time it counts as a half-close. */
const exitGraceMs = 200;
/** How long a command may take to exit after SIGTERM before it is killed. */
const killAfterMs = 5_000;
const hasProcessGroups = process.platform !== "win32";

/** What peers may take of a listener. */
interface Bounds {
  /** The number of commands at once. */
  readonly maxAtOnce: number;
  /** How long a Connection may stay on which nothing moves, in milliseconds. */
  readonly idleMs: number;
}

/** Runs a command for each Connection. */
export class CommandServer {
  readonly #file: string;
  readonly #parameters: readonly string[];
  readonly #shares: Shares;
  readonly #idleMs: number;
  readonly #runs = new Map<Connection, Promise<void>>();
  readonly #children = new Set<Child>();
  #isStopping = false;

  constructor(file: string, parameters: readonly string[], { maxAtOnce, idleMs }: Bounds) {
    this.#file = file;
    this.#parameters = parameters;
    this.#shares = new Shares(maxAtOnce);
    this.#idleMs = idleMs;
  }

  /** A handler for `client.handle`. Resolves when the process has ended. Never rejects. */
  serve(connection: Connection): Promise<void> {
    const problem = this.#isStopping ? "The listener is stopping" : this.#shares.take(connection.peer);
    if (problem !== undefined) {
      connection.reject(problem);
      return Promise.resolve();
    }
    const run = this.#run(connection).catch((error: unknown) => {
      note(reasonOf(error));
    });
    this.#runs.set(connection, run);
    return run.finally(() => {
      this.#shares.giveBack(connection.peer);
      this.#runs.delete(connection);
    });
  }

  /** Accepts no more Connections, ends all processes, and resolves when the last one has ended. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const child of this.#children) terminate(child);
    // A peer that doesn't read may delay the end of its Connection.
    await Promise.race([Promise.all(this.#runs.values()), delay(killAfterMs + 1_000, undefined, { ref: false })]);
  }

  async #run(connection: Connection): Promise<void> {
    const child = spawn(this.#file, this.#parameters, {
      stdio: ["pipe", "pipe", "inherit"],
      // A process group of its own, so that a shell ends together with its children.
      detached: hasProcessGroups,
      windowsHide: true,
      env: environmentFor(connection),
    });
    try {
      await once(child, "spawn");
    } catch (error) {
      connection.reject("The command could not be started");
      note(`Cannot start "${this.#file}": ${reasonOf(error)}`);
      return;
    }
    child.on("error", () => undefined);
    this.#children.add(child);
    // The listener may have been stopped while the process was starting.
    if (this.#isStopping) terminate(child);
    const idle = new IdleTimer(this.#idleMs, () => {
      connection.abort(`Nothing moved for ${durationText(this.#idleMs)}, the listener's limit`);
    });
    try {
      await serveWith(connection, child, idle);
    } finally {
      idle.stop();
      this.#children.delete(child);
    }
  }
}

/** Connects a process to a Connection until the process has ended. */
async function serveWith(connection: Connection, child: Child, idle: IdleTimer): Promise<void> {
  const exited = new Promise<Exit>((resolve) => {
    child.once("exit", (code, signal) => {
      resolve({ code, signal });
    });
  });
  // An end of input would tell the process that its input is complete. If it isn't, the process is stopped instead.
  void connection.closed.then((error) => {
    if (error !== undefined) terminate(child);
  });
  const feeding = feed(connection, child.stdin, idle);
  await drain(connection, child.stdout, idle);
  const early = await Promise.race([exited, delay(exitGraceMs, undefined)]);
  if (early === undefined) await connection.end();
  await finish(connection, early ?? (await exited));
  await feeding;
}

/** Passes on to the process what arrives. Once the process reads no more, the rest is discarded, so that the peer can go on. */
async function feed(connection: Connection, stdin: Writable, idle: IdleTimer): Promise<void> {
  let isOpen = true;
  stdin.on("error", () => (isOpen = false));
  stdin.on("close", () => (isOpen = false));
  try {
    for await (const piece of connection.readable) {
      idle.touch();
      if (isOpen) await write(stdin, piece).catch(() => (isOpen = false));
    }
    stdin.end();
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
  }
}

/** Sends the output of the process, until the process closes it or the Connection ends. */
async function drain(connection: Connection, stdout: Readable, idle: IdleTimer): Promise<void> {
  try {
    for await (const chunk of stdout) {
      // Without an encoding, a stream of bytes yields Buffers.
      await connection.send(chunk as Uint8Array);
      idle.touch();
    }
  } catch (error) {
    // `terminate` destroys the output, which is no failure.
    const wasCut = stdout.destroyed && stdout.errored === null;
    // If the process keeps writing, it gets SIGPIPE.
    stdout.destroy();
    if (!wasCut && !(error instanceof ConnectionError)) throw error;
  }
}

/** Tells the peer how the process ended. */
async function finish(connection: Connection, { code, signal }: Exit): Promise<void> {
  if (code === 0) {
    await connection.close().catch(() => undefined);
    return;
  }
  const how = signal === null ? `exited with status ${code}` : `was ended by ${signal}`;
  const failure = await Promise.race([connection.closed, Promise.resolve(undefined)]);
  if (failure !== undefined) {
    note(failure.message);
    return;
  }
  connection.abort(`The command ${how}`);
  note(`The command for "${connection.peer}" ${how}`);
}

function terminate(child: Child): void {
  if (child.exitCode !== null || child.signalCode !== null) {
    // Its children may still write, and nobody reads.
    child.stdout.destroy();
    return;
  }
  kill(child, "SIGTERM");
  const timer = setTimeout(() => {
    kill(child, "SIGKILL");
  }, killAfterMs);
  child.once("exit", () => {
    clearTimeout(timer);
    child.stdout.destroy();
  });
}

function kill(child: Child, signal: NodeJS.Signals): void {
  if (!hasProcessGroups || child.pid === undefined) child.kill(signal);
  else process.kill(-child.pid, signal);
}

/** The environment of a command. Strangers choose its input, so it doesn't get this client's secrets. */
function environmentFor({ peer, protocol }: Connection): NodeJS.ProcessEnv {
  const environment = { ...process.env };
  for (const secret of ["MP_SECRET", "MP_ADMIN_TOKEN", "MP_INVITATION", "MP_TOKEN_KEY", "MP_HEADERS"])
    delete environment[secret];
  // Its query may have a gate's token.
  if (environment["MP_URL"] !== undefined) environment["MP_URL"] = environment["MP_URL"].replace(/[?#].*$/s, "");
  return { ...environment, MP_PEER: peer, MP_PROTOCOL: protocol };
}
