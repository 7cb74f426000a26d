import type { ClientsStart, FromClients, ToClients } from "./calls.ts";
import { Child } from "./child.ts";

/** Longer than a client takes to leave. */
const stopDeadlineMs = 15_000;

/** A process with some clients. */
export class Clients implements AsyncDisposable {
  /** Resolves when all of them are connected; rejects if the process ends before. */
  readonly ready: Promise<undefined>;
  /** Resolves if the process ends without having been asked to. */
  readonly died: Promise<Error>;
  readonly names: readonly string[];
  readonly #child: Child<ToClients, FromClients>;
  readonly #stopped = Promise.withResolvers<undefined>();
  #isEnding = false;

  /** @param authorityFile certificates that the clients trust. */
  constructor(start: ClientsStart, authorityFile: string, onMessage: (message: FromClients) => void) {
    this.names = start.clients.map(({ name }) => name);
    const ready = Promise.withResolvers<undefined>();
    const died = Promise.withResolvers<Error>();
    const take = (message: FromClients): void => {
      if (message.kind === "ready") ready.resolve(undefined);
      if (message.kind === "stopped") this.#stopped.resolve(undefined);
      onMessage(message);
    };
    this.#child = new Child<ToClients, FromClients>("clients-process.ts", take, {
      environment: { NODE_EXTRA_CA_CERTS: authorityFile },
    });
    void this.#child.exited.then((how) => {
      const error = new Error(`The process of ${this.names.join(", ")} ended with ${how}:\n${this.#child.output}`);
      ready.reject(error);
      this.#stopped.resolve(undefined);
      if (!this.#isEnding) died.resolve(error);
    });
    ready.promise.catch(() => undefined);
    this.ready = ready.promise;
    this.died = died.promise;
    this.#child.send({ kind: "start", start });
  }

  /** The process's output: empty, if all is well. */
  get output(): string {
    return this.#child.output;
  }

  /** Nothing of it runs until `continue`, as on a machine that sleeps. */
  pause(): void {
    this.#child.signal("SIGSTOP");
  }

  continue(): void {
    this.#child.signal("SIGCONT");
  }

  /** Nothing new is opened; what is open goes on. */
  drain(): void {
    this.#child.send({ kind: "drain" });
  }

  /** Resolves when the process has told of all that is unfinished, and its clients have left. */
  async stop(): Promise<void> {
    this.#child.send({ kind: "stop" });
    const timer = setTimeout(() => {
      this.#stopped.resolve(undefined);
    }, stopDeadlineMs);
    await this.#stopped.promise;
    clearTimeout(timer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true;
    await this.#child.end();
  }
}
