import { createInterface, type Interface } from "node:readline/promises";
import { type Readable, Writable } from "node:stream";
import { Interrupted } from "./status.ts";

/** Asks questions at a terminal. Answers to `askHidden` aren't shown. */
export class Prompt implements Disposable {
  readonly #interface: Interface;
  readonly #output: Writable;
  readonly #closed = new AbortController();
  #isHidden = false;

  constructor(input: Readable, output: Writable) {
    this.#output = output;
    const echo = new Writable({
      write: (chunk: Uint8Array, _encoding, done) => {
        if (!this.#isHidden) output.write(chunk);
        done();
      },
    });
    this.#interface = createInterface({ input, output: echo, terminal: true });
    const onGone = (): void => {
      this.#closed.abort(new Interrupted("SIGINT"));
    };
    this.#interface.once("SIGINT", onGone).once("close", onGone);
  }

  /** Asks until there is an answer. An empty answer means the fallback, if there is one. */
  async ask(question: string, fallback?: string): Promise<string> {
    const hint = fallback === undefined ? "" : ` [${fallback}]`;
    for (;;) {
      const answer = (await this.#line(`${question}${hint}: `)).trim();
      if (answer !== "") return answer;
      if (fallback !== undefined) return fallback;
    }
  }

  /** Asks for something that must not appear on the screen. */
  async askHidden(question: string): Promise<string> {
    for (;;) {
      this.#output.write(`${question} (not shown): `);
      this.#isHidden = true;
      try {
        const answer = (await this.#line("")).trim();
        if (answer !== "") return answer;
      } finally {
        this.#isHidden = false;
        this.#output.write("\n");
      }
    }
  }

  [Symbol.dispose](): void {
    this.#interface.close();
  }

  /** @throws Interrupted at Ctrl+C and at the end of the input */
  async #line(question: string): Promise<string> {
    try {
      return await this.#interface.question(question, { signal: this.#closed.signal });
    } catch (error) {
      this.#closed.signal.throwIfAborted();
      throw error;
    }
  }
}
