import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { AnswerMessage, CallMessage, CallName, Calls, PeerStart } from "./calls.ts";

interface PendingCall {
  readonly resolve: (answer: Calls[CallName]["answer"]) => void;
  readonly reject: (error: Error) => void;
}

/** More than any round takes, so that a hang ends the benchmark with an error that says where. */
const callDeadlineMs = 30_000;

/** A peer process: one end of what is measured. */
export class Peer implements AsyncDisposable {
  readonly #title: string;
  readonly #child: ChildProcess;
  readonly #calls = new Map<number, PendingCall>();
  #lastId = 0;

  private constructor(title: string, child: ChildProcess) {
    this.#title = title;
    this.#child = child;
    // Only peer-process.ts writes to this channel.
    child.on("message", (message) => {
      this.#settle(message as AnswerMessage);
    });
    child.on("exit", (code, signal) => {
      const error = new Error(`The ${title} ended with ${signal ?? `status ${code}`}`);
      for (const call of this.#calls.values()) call.reject(error);
      this.#calls.clear();
    });
  }

  /** Starts a process and connects it. @param nodeOptions options of `node` itself, as for a profile. */
  static async start(start: PeerStart, nodeOptions: readonly string[]): Promise<Peer> {
    const child = fork(join(import.meta.dirname, "peer-process.ts"), {
      execArgv: [...process.execArgv, ...nodeOptions],
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    const peer = new Peer(`${start.system}'s ${start.role}`, child);
    try {
      await peer.call("connect", start);
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
