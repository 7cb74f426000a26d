import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";

export interface ChildOptions {
  /** Gets a process group of its own, so that one signal ends its children too. */
  readonly ownGroup?: boolean;
  readonly environment?: NodeJS.ProcessEnv;
}

/** The last lines of a child's output. */
const keptCharacters = 8_000;
/** How long to wait for what a process wrote before it ended. */
const lastWordsMs = 500;

/** A process of the soak, that ends with it whatever happens. */
export class Child<In, Out> {
  readonly #process: ChildProcess;
  readonly #ownGroup: boolean;
  /** Resolves when the process is gone, with how. */
  readonly exited: Promise<string>;
  #output = "";
  readonly #onExit = (): void => {
    this.kill();
  };

  /** @param file of this folder. */
  constructor(
    file: string,
    onMessage: (message: Out) => void,
    { ownGroup = false, environment = {} }: ChildOptions = {},
  ) {
    this.#ownGroup = ownGroup;
    this.#process = fork(join(import.meta.dirname, file), {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      detached: ownGroup,
      env: { ...process.env, ...environment },
    });
    const outputs = [this.#process.stdout, this.#process.stderr].filter((stream) => stream !== null);
    for (const stream of outputs)
      stream.on("data", (text: unknown) => (this.#output = (this.#output + String(text)).slice(-keptCharacters)));
    // Only the file itself writes to this channel.
    this.#process.on("message", (message) => {
      onMessage(message as Out);
    });
    // Writing to one that is just going away: its exit tells more.
    this.#process.on("error", () => undefined);
    this.exited = this.#untilExit(outputs);
    process.on("exit", this.#onExit);
  }

  /** The end of what it wrote to its outputs. */
  get output(): string {
    return this.#output;
  }

  send(message: In & object): void {
    if (this.#process.connected) this.#process.send(message);
  }

  /** Stops it where it is, until it is continued. */
  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#process.kill(signal);
  }

  /** Ends it at once, and its children too if it has a group of its own. */
  kill(): void {
    const { pid } = this.#process;
    if (pid === undefined) return;
    try {
      process.kill(this.#ownGroup ? -pid : pid, "SIGKILL");
    } catch {
      // The child is gone already.
    }
  }

  /** Asks it to end, by closing the channel; then insists. */
  async end(deadlineMs = 5_000): Promise<void> {
    if (this.#process.connected) this.#process.disconnect();
    const timer = setTimeout(() => {
      this.kill();
    }, deadlineMs);
    await this.exited;
    clearTimeout(timer);
  }

  async #untilExit(outputs: readonly Readable[]): Promise<string> {
    const written = outputs.map((output) => once(output, "close"));
    const how = await new Promise<string>((resolve) => {
      this.#process.once("exit", (code, signal) => {
        resolve(signal ?? `status ${code}`);
      });
    });
    process.off("exit", this.#onExit);
    // The event "close" would say so too, but doesn't come where the channel was closed from here.
    await Promise.race([Promise.all(written), delay(lastWordsMs, undefined, { ref: false })]);
    return how;
  }
}
