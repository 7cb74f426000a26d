import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

/** What a process may be asked: by name, the argument and the answer. Both go as JSON. */
export type CallTable<Calls> = {
  readonly [Name in keyof Calls]: { readonly argument: unknown; readonly answer: unknown };
};

/** How a process answers. */
export type Handlers<Calls extends CallTable<Calls>> = {
  [Name in keyof Calls]: (argument: Calls[Name]["argument"]) => Promise<Calls[Name]["answer"]>;
};

/** Benchmark to process. */
export interface CallMessage<Calls extends CallTable<Calls>, Name extends keyof Calls = keyof Calls> {
  readonly id: number;
  readonly name: Name;
  readonly argument: Calls[Name]["argument"];
}

/** Process to benchmark. */
export type AnswerMessage =
  { readonly id: number; readonly answer: unknown } | { readonly id: number; readonly error: string };

/** More than any call takes, so that a hang ends the benchmark with an error that says where. */
const callDeadlineMs = 60_000;

/** A process that the benchmark starts, asks and ends. */
export class CalledProcess<Calls extends CallTable<Calls>> implements AsyncDisposable {
  readonly #title: string;
  readonly #child: ChildProcess;
  readonly #calls = new Map<number, PromiseWithResolvers<unknown>>();
  #lastId = 0;

  /** @param title names it in errors, as in "receiver bob". */
  constructor(title: string, [command, ...parameters]: readonly [command: string, ...parameters: string[]]) {
    this.#title = title;
    this.#child = spawn(command, parameters, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    // Only `answerCalls`, or a program that does the same, writes to this channel.
    this.#child.on("message", (message) => {
      this.#settle(message as AnswerMessage);
    });
    this.#child.on("error", ({ message }) => {
      this.#fail(`The ${title} failed: ${message}`);
    });
    this.#child.on("exit", (code, signal) => {
      this.#fail(`The ${title} ended with ${signal ?? `status ${code}`}`);
    });
  }

  /** @throws Error when the process refuses, ends or doesn't answer in time. */
  async call<Name extends keyof Calls & string>(
    name: Name,
    argument: Calls[Name]["argument"],
  ): Promise<Calls[Name]["answer"]> {
    const message: CallMessage<Calls, Name> = { id: ++this.#lastId, name, argument };
    const call = Promise.withResolvers<unknown>();
    this.#calls.set(message.id, call);
    const timer = setTimeout(() => {
      call.reject(new Error(`The ${this.#title} did not answer "${name}" within ${callDeadlineMs} ms`));
    }, callDeadlineMs);
    try {
      this.#child.send(message);
      return await call.promise;
    } finally {
      clearTimeout(timer);
      this.#calls.delete(message.id);
    }
  }

  /** Stops it as a closed lid does: nothing in it runs, but its sockets stay open. */
  freeze(): void {
    this.#child.kill("SIGSTOP");
  }

  thaw(): void {
    this.#child.kill("SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.thaw();
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

  #fail(reason: string): void {
    for (const call of this.#calls.values()) call.reject(new Error(reason));
    this.#calls.clear();
  }
}
