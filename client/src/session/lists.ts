import type { RouterFrameOf } from "@messagepasser/protocol";
import { waiting, type Waiting } from "../waiting.ts";

type Page = RouterFrameOf<"peers">;

/** The questions for names that the router has not answered. They are asked again on a new link. */
export class Lists {
  readonly #send: (request: number, cursor: string) => void;
  readonly #asked = new Map<number, { readonly cursor: string; readonly wait: Waiting<Page> }>();
  #last = 0;

  /** @param send asks the router, or does nothing where there is no link. */
  constructor(send: (request: number, cursor: string) => void) {
    this.#send = send;
  }

  /** Asks for the page of names after a cursor. */
  ask(cursor: string, signal: AbortSignal | undefined): Promise<Page> {
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    const request = ++this.#last;
    const { promise, ...wait } = waiting<Page>(signal, () => this.#asked.delete(request));
    this.#asked.set(request, { cursor, wait });
    this.#send(request, cursor);
    return promise;
  }

  askAgain(): void {
    for (const [request, { cursor }] of this.#asked) this.#send(request, cursor);
  }

  answer(page: Page): void {
    this.#asked.get(page.request)?.wait.resolve(page);
    this.#asked.delete(page.request);
  }

  fail(error: Error): void {
    for (const { wait } of this.#asked.values()) wait.reject(error);
    this.#asked.clear();
  }
}
