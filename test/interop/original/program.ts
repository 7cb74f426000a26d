// Builds the client of the original's package, and leads it as main.go says.
import { Buffer } from "node:buffer";
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Inbox } from "../../sockets/formats/talk.ts";
import type { Realm } from "../../sockets/realm.ts";

export type OriginalFormat = "gob" | "json";

/** A line that the program writes. */
interface Line {
  readonly id?: number;
  readonly event?: "ready" | "incoming" | "over";
  readonly connection?: number;
  readonly peer?: string;
  readonly messages?: readonly (string | null)[];
  readonly error?: string;
}

interface Command {
  readonly do: "open" | "read" | "write" | "close";
  readonly connection?: number;
  readonly peer?: string;
  readonly protocol?: string;
  readonly count?: number;
  readonly messages?: readonly string[];
}

export interface BuiltProgram extends Disposable {
  readonly file: string;
}

const fetchTimeLimitMs = 60_000;
const runTimeLimitMs = 60_000;

/** The program, or in a sentence why there is none here. @throws Error where it could be built but can't. */
export function buildProgram(): BuiltProgram | string {
  if (spawnSync("go", ["version"]).status !== 0) return "There is no Go here: the original's interop isn't tested";
  const { status, stderr } = go("mod", "download");
  // That they are others than they should be is a fault, and nothing to be silent about.
  if (status !== 0 && /checksum mismatch|SECURITY ERROR|missing go.sum entry/.test(stderr)) throw new Error(stderr);
  if (status !== 0)
    return `The original's module can't be fetched from the Go module proxy here: its interop isn't tested\n${stderr}`;

  const directory = mkdtempSync(join(tmpdir(), "messagepasser-original-"));
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  const file = join(directory, process.platform === "win32" ? "original.exe" : "original");
  const built = go("build", "-o", file, ".");
  if (built.status === 0) return { file, [Symbol.dispose]: remove };
  remove();
  throw new Error(`The client of the original's package does not build:\n${built.stderr}`);
}

function go(...parameters: string[]): { readonly status: number | null; readonly stderr: string } {
  // This module by itself, with the Go that is here.
  const env = { ...process.env, GOWORK: "off", GOTOOLCHAIN: "local", GOFLAGS: "-mod=readonly" };
  return spawnSync("go", parameters, { cwd: import.meta.dirname, env, encoding: "utf8", timeout: fetchTimeLimitMs });
}

/** A client of the original's package, in a process of its own. */
export class OriginalProgram implements AsyncDisposable {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #exited: Promise<unknown>;
  readonly #waiting = new Map<number, PromiseWithResolvers<Line>>();
  readonly #incoming = new Inbox<OriginalConnection>();
  readonly #ready = Promise.withResolvers<undefined>();
  readonly #over = Promise.withResolvers<string>();
  #lastId = 0;
  #stderr = "";

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    this.#exited = once(child, "close");
    child.stdin.on("error", () => undefined);
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (this.#stderr += chunk));
    createInterface({ input: child.stdout }).on("line", (line) => this.#hear(JSON.parse(line) as Line));
    void this.#exited.then(() => this.#fail(new Error(`The original's client has ended. ${this.#stderr}`)));
  }

  /** @param claim another name for its first message than for the upgrade. */
  static async start(
    { file }: BuiltProgram,
    { router }: Realm,
    { name, secret, format, claim = name }: { name: string; secret: string; format: OriginalFormat; claim?: string },
  ): Promise<OriginalProgram> {
    const url = new URL("/connect/default", router.url).href;
    const child = spawn(file, ["-url", url, "-name", name, "-format", format, "-claim", claim], {
      env: { MP_SECRET: secret },
      timeout: runTimeLimitMs,
      killSignal: "SIGKILL",
    });
    const program = new OriginalProgram(child);
    await program.#ready.promise;
    return program;
  }

  /** What the package's `Run` returned. */
  get over(): Promise<string> {
    return this.#over.promise;
  }

  /** @throws Error with the package's own text */
  async open(peer: string, protocol: string): Promise<OriginalConnection> {
    const { connection, error } = await this.command({ do: "open", peer, protocol });
    if (connection === undefined) throw new Error(error);
    return new OriginalConnection(this, connection);
  }

  /** The next Connection of the protocol "talk" that a peer opens. */
  accept(): Promise<OriginalConnection> {
    return this.#incoming.take();
  }

  async command(command: Command): Promise<Line> {
    const id = ++this.#lastId;
    const answer = Promise.withResolvers<Line>();
    this.#waiting.set(id, answer);
    this.#child.stdin.write(`${JSON.stringify({ id, ...command })}\n`);
    return await answer.promise;
  }

  /** Ends the process as a crash does. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    await this.#exited;
  }

  #hear({ id, event, ...line }: Line): void {
    const { connection = 0, error } = line;
    if (id !== undefined) {
      this.#waiting.get(id)?.resolve(line);
      this.#waiting.delete(id);
    } else if (event === "incoming") this.#incoming.put(new OriginalConnection(this, connection));
    else if (event === "over") this.#over.resolve(error ?? "");
    else if (error === undefined) this.#ready.resolve(undefined);
    else this.#ready.reject(new Error(error));
  }

  #fail(error: Error): void {
    for (const answer of this.#waiting.values()) answer.reject(error);
    this.#ready.reject(error);
    this.#over.resolve(error.message);
  }
}

export class OriginalConnection {
  readonly #program: OriginalProgram;
  readonly #connection: number;

  constructor(program: OriginalProgram, connection: number) {
    this.#program = program;
    this.#connection = connection;
  }

  /** Resolves when the package has written them all. */
  async write(messages: readonly (Uint8Array | string)[]): Promise<void> {
    const texts = messages.map((message) => Buffer.from(message as string).toString("base64"));
    const { error } = await this.#program.command({ do: "write", connection: this.#connection, messages: texts });
    if (error !== undefined) throw new Error(error);
  }

  /** The next messages; fewer of them with the package's error, if there is one before. */
  async read(count: number): Promise<{ readonly messages: readonly Uint8Array[]; readonly error: string | undefined }> {
    const { messages = [], error } = await this.#program.command({ do: "read", connection: this.#connection, count });
    return { messages: messages.map((message) => new Uint8Array(Buffer.from(message ?? "", "base64"))), error };
  }

  async close(): Promise<void> {
    await this.#program.command({ do: "close", connection: this.#connection });
  }
}
