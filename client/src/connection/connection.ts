import { errorCodes } from "@messagepasser/protocol";
import type { ConnectionError } from "../errors.ts";
import type { Channel } from "./channel.ts";
import { type Message, messageProblem } from "./message.ts";
import { readableOf, writableOf } from "./streams.ts";

/** Options of calls that wait. */
export interface WaitOptions {
  /** Ends the wait; the call then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * A bidirectional channel to another client. Messages arrive whole and in order, as they were sent: text as `string`,
 * bytes as `Uint8Array`. Each direction has its own end and its own flow control.
 *
 * @example
 * await connection.send("hello");
 * for await (const message of connection) console.log(message);
 * await connection.close();
 */
export class Connection implements AsyncDisposable, AsyncIterable<Message> {
  readonly #channel: Channel;
  #readable: ReadableStream<Uint8Array> | undefined;
  #writable: WritableStream<Message> | undefined;
  /** @internal Connections come from `client.open`, and to handlers. */
  constructor(channel: Channel) {
    this.#channel = channel;
  }

  /** The name of the client at the other end, as the router vouches for it. */
  get peer(): string {
    return this.#channel.peer;
  }

  /** The protocol that the opener asked for. */
  get protocol(): string {
    return this.#channel.protocol;
  }

  /** What the opener sent along: texts by name. */
  get metadata(): Readonly<Record<string, string>> {
    return this.#channel.metadata;
  }

  /**
   * Resolves when the Connection is over: with `undefined` when both ends closed it, with the error otherwise.
   * It never rejects.
   */
  get closed(): Promise<ConnectionError | undefined> {
    return this.#channel.closed;
  }

  /** The largest message, in bytes, that `receive` takes. A larger one ends the Connection; `readable` has no such limit. */
  get maxMessageBytes(): number {
    return this.#channel.maxMessageBytes;
  }

  /**
   * Sends one message. Resolves once it is copied and within what the other end has room for, so awaiting each call is
   * all the back-pressure that a producer needs. The bytes must not change before it resolves. A message that is partly
   * on its way when the signal fires is still sent whole: only the wait ends.
   *
   * @throws ConnectionError if the Connection is over, or this end has ended its direction; TypeError for anything
   *   but a string or a Uint8Array.
   */
  send(message: Message, options?: WaitOptions): Promise<void> {
    const problem = messageProblem(message);
    return problem === undefined ? this.#channel.send(message, options?.signal) : Promise.reject(problem);
  }

  /**
   * The next message, or `undefined` once the other end has sent its last. Bytes are a view on a larger buffer:
   * `slice()` what you keep for long.
   *
   * @throws ConnectionError if the Connection ended in any other way, after all that had arrived was received.
   */
  receive(options?: WaitOptions): Promise<Message | undefined> {
    this.#channel.accept();
    return this.#channel.receiver.receive(options?.signal);
  }

  /** Messages until the other end has sent its last. Leaving the loop early closes nothing. */
  [Symbol.asyncIterator](): AsyncIterator<Message, undefined> {
    this.#channel.accept();
    return this.#channel.receiver;
  }

  /** What arrives, as a stream of bytes: message boundaries are lost. Use it or `receive`, not both. */
  get readable(): ReadableStream<Uint8Array> {
    this.#channel.accept();
    return (this.#readable ??= readableOf(this.#channel));
  }

  /** Each chunk is sent as a message; closing the stream ends this direction, aborting it aborts the Connection. */
  get writable(): WritableStream<Message> {
    return (this.#writable ??= writableOf(this));
  }

  /**
   * Half-close: no more messages from this end after those sent before. The other direction goes on.
   *
   * @throws ConnectionError if the Connection failed before.
   */
  end(options?: WaitOptions): Promise<void> {
    return this.#channel.end(options?.signal);
  }

  /**
   * Ends the Connection in good order: what was sent before still arrives there, what still arrives here is thrown away.
   * Resolves once all is handed over; what it may wait for is the other end's window.
   */
  close(options?: WaitOptions): Promise<void> {
    return this.#channel.close(options?.signal);
  }

  /**
   * Ends the Connection at once, in both directions; what is under way may be lost. The other end gets the reason.
   * Nothing happens to one that both ends have ended already.
   */
  abort(reason = ""): void {
    if (this.#channel.isPending) this.reject(reason);
    else if (!this.#channel.isDone)
      this.#channel.reset(errorCodes.aborted, reason, this.#channel.error("aborted", `aborted here: ${reason}`));
  }

  /**
   * Refuses a Connection that came to a handler: the opener's `open` throws with the code `rejected` and this reason.
   * A Connection is accepted by the first call of any other method, or when its handler returns.
   *
   * @throws TypeError if it was accepted before, or opened from here. Where the opener has left, nothing happens.
   */
  reject(reason = ""): void {
    if (this.#channel.isOver) return;
    if (!this.#channel.isPending) throw new TypeError("Cannot reject a Connection that is open already: abort it");
    this.#channel.reject(errorCodes.rejected, reason);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
