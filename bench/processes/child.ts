import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

/** A program and its parameters. */
export type Command = readonly [program: string, ...parameters: string[]];

/** What a process can be asked, by name. Argument and answer travel as JSON. */
export type Calls = Readonly<Record<string, (argument: never) => Promise<unknown>>>;

/** Benchmark to process. */
export type CallMessage = Readonly<{ id: number; name: string; argument: unknown }>;

/** Process to benchmark. */
export type AnswerMessage = Readonly<{ id: number; answer: unknown } | { id: number; error: string }>;

/** Longer than any call takes, so that a hang ends the benchmark with an error that names the call. */
const callDeadlineMs = 60_000;
/** How each server prints the address on which it listens. A whole line, since the output arrives in pieces. */
const printedAddress = /((?:ws|tcp):\/\/127\.\S+|\/ip4\/\S+).*\n/;

/**
 * A process that the benchmark starts, calls and ends. Calls and answers are lines of JSON on Node's IPC channel, whose
 * file descriptor a program in another language finds in NODE_CHANNEL_FD. The standard input ends with the benchmark.
 */
export class Child<Known extends Calls = Calls> implements AsyncDisposable {
  readonly #title: string;
  readonly #process: ChildProcess;
  readonly #calls = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #address = Promise.withResolvers<string>();
  #output = "";
  #lastId = 0;

  /** @param title names the process in errors, as in "receiver of NATS". */
  constructor(title: string, [program, ...parameters]: Command) {
    this.#title = title;
    this.#process = spawn(program, parameters, { stdio: ["pipe", "pipe", "pipe", "ipc"] });
    this.#address.promise.catch(() => undefined);
    for (const stream of [this.#process.stdout, this.#process.stderr])
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#output += text;
        const [, address] = printedAddress.exec(this.#output) ?? [];
        if (address !== undefined) this.#address.resolve(address);
      });
    // Only answering.ts, or a program that does the same, writes to this channel.
    this.#process.on("message", (message) => {
      this.#settle(message as AnswerMessage);
    });
    this.#process.on("error", ({ message }) => {
      this.#fail(`failed: ${message}`);
    });
    this.#process.on("close", (code, signal) => {
      this.#fail(`ended with ${signal ?? `status ${code}`}:\n${this.#output}`);
    });
  }

  get id(): number {
    return this.#process.pid ?? 0;
  }

  /** Where the server in it listens. @throws Error with the server's output when the server ends before it listens. */
  async address(): Promise<string> {
    return await this.#address.promise;
  }

  /** @throws Error when the process refuses, ends or doesn't answer within a minute. */
  async call<Name extends keyof Known & string>(
    name: Name,
    ...[argument]: Parameters<Known[Name]>
  ): Promise<Awaited<ReturnType<Known[Name]>>> {
    const message: CallMessage = { id: ++this.#lastId, name, argument: argument ?? null };
    const call = Promise.withResolvers<unknown>();
    this.#calls.set(message.id, call);
    const timer = setTimeout(() => {
      call.reject(new Error(`The ${this.#title} did not answer "${name}" within ${callDeadlineMs} ms`));
    }, callDeadlineMs);
    try {
      this.#process.send(message);
      // The type of `Known` is the one of the handlers in that process.
      return (await call.promise) as Awaited<ReturnType<Known[Name]>>;
    } finally {
      clearTimeout(timer);
      this.#calls.delete(message.id);
    }
  }

  /** Stops the process as a closed lid stops a laptop: nothing in it runs, but its sockets stay open. */
  freeze(): void {
    this.#process.kill("SIGSTOP");
  }

  thaw(): void {
    this.#process.kill("SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.pid === undefined || this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exit = once(this.#process, "exit");
    this.thaw();
    this.#process.kill();
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), 5_000);
    await exit;
    clearTimeout(timer);
  }

  #settle(message: AnswerMessage): void {
    const call = this.#calls.get(message.id);
    if ("error" in message) call?.reject(new Error(`The ${this.#title} failed: ${message.error}`));
    else call?.resolve(message.answer);
  }

  #fail(reason: string): void {
    const error = new Error(`The ${this.#title} ${reason}`);
    for (const call of [this.#address, ...this.#calls.values()]) call.reject(error);
    this.#calls.clear();
  }
}
