import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { AnswerMessage, CallMessage, CallName, Calls } from "./calls.ts";
import type { Dial } from "./ends/end.ts";
import type { Role, RunningSystem } from "./systems/system.ts";

interface PendingCall {
  readonly resolve: (answer: Calls[CallName]["answer"]) => void;
  readonly reject: (error: Error) => void;
}

/** More than any round takes, so that a hang ends the benchmark with an error that says where. */
const callDeadlineMs = 30_000;

/** A process with ends of what is measured. */
export class Peer implements AsyncDisposable {
  readonly #title: string;
  readonly #child: ChildProcess;
  readonly #calls = new Map<number, PendingCall>();
  #lastId = 0;

  private constructor(title: string, child: ChildProcess) {
    this.#title = title;
    this.#child = child;
    // Only end-process.ts, or a program that does the same, writes to this channel.
    child.on("message", (message) => {
      this.#settle(message as AnswerMessage);
    });
    child.on("exit", (code, signal) => {
      const error = new Error(`The ${title} ended with ${signal ?? `status ${code}`}`);
      for (const call of this.#calls.values()) call.reject(error);
      this.#calls.clear();
    });
  }

  /**
   * Starts a process and connects its ends.
   *
   * @param nodeOptions options of `node` itself, as for a profile.
   */
  static async start(
    { end }: RunningSystem,
    role: Role,
    dials: readonly Dial[],
    nodeOptions: readonly string[] = [],
  ): Promise<Peer> {
    const [command, ...parameters] =
      "executable" in end
        ? [end.executable]
        : [process.execPath, ...nodeOptions, join(import.meta.dirname, "end-process.ts")];
    const child = spawn(command, parameters, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    const peer = new Peer(`${role} ${dials[0]?.name}`, child);
    try {
      await peer.call("connect", { module: "module" in end ? end.module : "", role, dials });
    } catch (error) {
      await peer[Symbol.asyncDispose]();
      throw error;
    }
    return peer;
  }

  /** @throws Error when the process refuses, ends or doesn't answer in time. */
  async call<Name extends CallName>(name: Name, argument: Calls[Name]["argument"]): Promise<Calls[Name]["answer"]> {
    const message: CallMessage<Name> = { id: ++this.#lastId, name, argument };
    const { promise, resolve, reject } = Promise.withResolvers<Calls[CallName]["answer"]>();
    this.#calls.set(message.id, { resolve, reject });
    const timer = setTimeout(() => {
      reject(new Error(`The ${this.#title} did not answer "${name}" within ${callDeadlineMs} ms`));
    }, callDeadlineMs);
    try {
      this.#child.send(message);
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#calls.delete(message.id);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, "exit");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 5_000);
    if (this.#child.connected) this.#child.disconnect();
    await exit;
    clearTimeout(timer);
  }

  #settle(message: AnswerMessage): void {
    const call = this.#calls.get(message.id);
    if ("error" in message) call?.reject(new Error(`The ${this.#title} failed: ${message.error}`));
    else call?.resolve(message.answer);
  }
}
