// The client of the original's package, in a process of its own that is led as main.go says.
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { Inbox } from "../../sockets/formats/talk.ts";
import type { BuiltProgram } from "./build.ts";
import type { End, Received, Side } from "./side.ts";

export interface OldSideOptions {
  /** Of the router and the realm. */
  readonly url: URL;
  readonly name: string;
  readonly secret: string;
  readonly format: "gob" | "json";
  /** Another name for the client's first message than for the upgrade. */
  readonly claim?: string;
}

/** A line to the program. */
interface Command {
  readonly do: "open" | "read" | "write" | "close";
  readonly connection?: number;
  readonly peer?: string;
  readonly protocol?: string;
  readonly count?: number;
  readonly messages?: readonly string[];
}

/** A line from the program. */
interface Line {
  readonly id?: number;
  readonly event?: "ready" | "incoming" | "over";
  readonly connection?: number;
  readonly messages?: readonly (string | null)[];
  readonly error?: string;
}

const timeLimitMs = 60_000;

export class OldSide implements Side {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #exited: Promise<unknown>;
  readonly #answers = new Map<number, PromiseWithResolvers<Line>>();
  readonly #incoming = new Inbox<End>();
  readonly #ready = Promise.withResolvers<undefined>();
  readonly #over = Promise.withResolvers<string>();
  #lastId = 0;
  #stderr = "";

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    this.#exited = once(child, "close");
    child.stdin.on("error", () => undefined);
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => (this.#stderr += chunk));
    createInterface({ input: child.stdout }).on("line", (line) => {
      this.#hear(JSON.parse(line) as Line);
    });
    void this.#exited.then(() => {
      this.#fail(new Error(`The original's client has ended. ${this.#stderr}`));
    });
  }

  /** Rejects with the original's error, or that of the upgrade, if the router doesn't let it in. */
  static async start(program: BuiltProgram, { url, name, secret, format, claim }: OldSideOptions): Promise<OldSide> {
    const flags = ["-url", url.href, "-name", name, "-format", format, "-claim", claim ?? name];
    const env = { MP_SECRET: secret };
    const side = new OldSide(spawn(program.file, flags, { env, timeout: timeLimitMs, killSignal: "SIGKILL" }));
    await side.#ready.promise;
    return side;
  }

  /** Resolves to what ended the package's `Run`. */
  get over(): Promise<string> {
    return this.#over.promise;
  }

  async open(peer: string, protocol: string): Promise<End> {
    const { connection, error } = await this.#say({ do: "open", peer, protocol });
    if (connection === undefined) throw new Error(error);
    return this.#end(connection);
  }

  accept(): Promise<End> {
    return this.#incoming.take();
  }

  /** Ends it as a crash does. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    await this.#exited;
  }

  #end(connection: number): End {
    return {
      send: async (...messages) => {
        const { error } = await this.#say({ do: "write", connection, messages: messages.map(toBase64) });
        if (error !== undefined) throw new Error(error);
      },
      receive: async (count): Promise<Received> => {
        const { messages = [], error } = await this.#say({ do: "read", connection, count });
        return { messages: messages.map((message) => fromBase64(message ?? "")), over: error };
      },
      close: async () => {
        await this.#say({ do: "close", connection });
      },
    };
  }

  /** Resolves to the answer. */
  #say(command: Command): Promise<Line> {
    const id = ++this.#lastId;
    const answer = Promise.withResolvers<Line>();
    this.#answers.set(id, answer);
    this.#child.stdin.write(`${JSON.stringify({ id, ...command })}\n`);
    return answer.promise;
  }

  #hear(line: Line): void {
    const { id, event, connection = 0, error } = line;
    if (id !== undefined) {
      this.#answers.get(id)?.resolve(line);
      this.#answers.delete(id);
    } else if (event === "incoming") this.#incoming.put(this.#end(connection));
    else if (event === "over") this.#over.resolve(error ?? "");
    else if (error === undefined) this.#ready.resolve(undefined);
    else this.#ready.reject(new Error(error));
  }

  #fail(error: Error): void {
    for (const answer of this.#answers.values()) answer.reject(error);
    this.#ready.reject(error);
    this.#over.resolve(error.message);
  }
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64"));
}
