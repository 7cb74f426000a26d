import { errorCodes } from "@messagepasser/protocol";
import type { ConnectionError } from "../errors.ts";
import type { Channel } from "./channel.ts";
import { type Message, messageProblem } from "./message.ts";
import { checkOptions, waitProblem } from "../options.ts";
import type { ConnectionStatus } from "../status.ts";
import { echo, readableOf, writableOf } from "./streams.ts";
import { watch, watcherOf } from "./watchers.ts";

/** Options of calls that wait. */
export interface WaitOptions {
  /** Ends the wait. The call then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * A bidirectional stream of messages between two clients. Messages arrive whole and in order, as they were sent: text as
 * `string`, bytes as `Uint8Array`. Each direction has its own end and its own flow control.
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

  /** The name of the client at the other end. The router vouches for it. */
  get peer(): string {
    return this.#channel.peer;
  }

  /**
   * The session of that client: 32 hexadecimal digits, which no other session has. A client may run many at once. Empty
   * while it is not known, which can be only after a lost link.
   */
  get session(): string {
    return this.#channel.start.home.peer?.session ?? "";
  }

  /** The instance of that session, which is the option `instance` of the peer's `connect`; empty for none. */
  get instance(): string {
    return this.#channel.start.home.peer?.instance ?? "";
  }

  /** The protocol that the opener asked for. */
  get protocol(): string {
    return this.#channel.protocol;
  }

  /** The strings by key that the opener sent with the open. */
  get metadata(): Readonly<Record<string, string>> {
    return this.#channel.metadata;
  }

  /**
   * Resolves when the Connection has ended: to `undefined` if both ends closed it, otherwise to the error. Never rejects.
   */
  get closed(): Promise<ConnectionError | undefined> {
    return this.#channel.closed;
  }

  /** Whether the other end can be reached now, and if not, until when this end waits for it. */
  get status(): ConnectionStatus {
    return this.#channel.status;
  }

  /**
   * The function that is called whenever `status` changes. Meant for showing it to people: the Connection waits by itself.
   *
   * @defaultValue `undefined`
   */
  get onStatus(): ((status: ConnectionStatus) => void) | undefined {
    return watcherOf(this.#channel);
  }

  /** @throws TypeError for anything but a function or `undefined`, which removes it. */
  set onStatus(onStatus: ((status: ConnectionStatus) => void) | undefined) {
    checkOptions("watch a Connection", "function", { onStatus });
    watch(this.#channel, onStatus);
  }

  /**
   * The largest message that `receive` accepts, in bytes. A larger one ends the Connection with the code
   * `message-too-large`. `readable` has no such limit.
   */
  get maxMessageBytes(): number {
    return this.#channel.maxMessageBytes;
  }

  /**
   * Sends one message. Resolves once the message is copied and the other end has room for it, so awaiting each call is
   * all the back-pressure that a producer needs. The bytes must not change before the promise resolves. A resolved `send`
   * doesn't prove that the message has arrived.
   *
   * @throws ConnectionError with the code `closed` if this direction was ended here or the other end has closed the
   *   Connection, or with the code that ended the Connection.
   * @throws TypeError if the message is neither a string nor a Uint8Array, or its buffer is transferred or resized before
   *   all of it was sent. Had a part been sent, then the Connection is aborted.
   * @throws the signal's reason, if the signal fires first. A message that is partly sent by then is still sent whole.
   */
  send(message: Message, options?: WaitOptions): Promise<void> {
    const problem = messageProblem(message) ?? waitProblem(options);
    return problem === undefined ? this.#channel.send(message, options?.signal) : Promise.reject(problem);
  }

  /**
   * The next message, or `undefined` after the other end's last one. Bytes are a view of a larger buffer: copy them with
   * `slice()` to keep them for long.
   *
   * @throws ConnectionError with the code that ended the Connection, after all messages that had arrived; with
   *   `message-too-large` for a message of more than `maxMessageBytes`; with `closed` after `close`.
   * @throws the signal's reason, if the signal fires first. No message is lost by that.
   */
  receive(options?: WaitOptions): Promise<Message | undefined> {
    const problem = waitProblem(options);
    if (problem !== undefined) return Promise.reject(problem);
    this.#channel.accept();
    return this.#channel.receiver.receive(options?.signal);
  }

  /** The messages up to the other end's last one. Throws as `receive` does. Leaving the loop early closes nothing. */
  [Symbol.asyncIterator](): AsyncIterator<Message, undefined> {
    this.#channel.accept();
    return this.#channel.receiver;
  }

  /**
   * What arrives, as a stream of bytes: text as UTF-8, and without the boundaries of messages. Use either `readable` or
   * `receive`.
   *
   * The stream closes after the other end's last message. If the Connection ends in another way, the stream fails with the
   * ConnectionError, after all bytes that had arrived. Cancelling it discards what still arrives and tells the other end to
   * stop sending; the direction from here continues.
   */
  get readable(): ReadableStream<Uint8Array> {
    this.#channel.accept();
    return (this.#readable ??= readableOf(this.#channel));
  }

  /**
   * Sends each chunk as a message, as fast as the other end has room. Closing the stream ends this direction. Aborting it
   * aborts the Connection, with the reason if that is a string. The stream fails as `send` does.
   */
  get writable(): WritableStream<Message> {
    return (this.#writable ??= writableOf(this));
  }

  /**
   * Ends this direction after all messages that were sent before. The other direction continues. Resolves once the other
   * end has room for all of them.
   *
   * @throws ConnectionError with the code that ended the Connection, if it failed first.
   * @throws the signal's reason, if the signal fires first. Unless it had fired before the call, this direction ends all
   *   the same.
   */
  end(options?: WaitOptions): Promise<void> {
    const problem = waitProblem(options);
    return problem === undefined ? this.#channel.end(options?.signal) : Promise.reject(problem);
  }

  /**
   * Ends both directions in good order: what was sent before still arrives there, and what still arrives here is
   * discarded. Resolves once the other end has room for everything that was sent, and at once if the Connection has ended.
   *
   * @throws ConnectionError with the code that ended the Connection, if it fails first.
   * @throws the signal's reason, if the signal fires first. Unless it had fired before the call, the Connection ends all
   *   the same.
   */
  close(options?: WaitOptions): Promise<void> {
    const problem = waitProblem(options);
    return problem === undefined ? this.#channel.close(options?.signal) : Promise.reject(problem);
  }

  /**
   * Ends both directions at once. What is under way may be lost. At the other end the Connection fails with the code
   * `aborted` and the reason, or with `rejected` if it was not accepted yet. Does nothing if both ends have ended the
   * Connection.
   *
   * @param reason a sentence for the other end, cut at 512 bytes of UTF-8.
   * @throws TypeError for a reason that is no string: what an Error says may be private.
   */
  abort(reason = ""): void {
    checkOptions("abort", "string", { reason });
    if (this.#channel.isPending) this.reject(reason);
    else if (!this.#channel.isDone)
      this.#channel.reset(errorCodes.aborted, reason, this.#channel.error("aborted", `aborted here: ${reason}`));
  }

  /**
   * Refuses a Connection that came to a handler: the opener's `open` rejects with the code `rejected` and the reason. Using
   * the Connection in any other way accepts it, and so does a handler that returns. Does nothing if the Connection has
   * ended.
   *
   * @param reason a sentence for the opener, cut at 512 bytes of UTF-8.
   * @throws TypeError if the Connection was accepted before, or opened from here, or the reason is no string.
   */
  reject(reason = ""): void {
    checkOptions("reject", "string", { reason });
    if (this.#channel.isOver) return;
    if (!this.#channel.isPending) throw new TypeError("Cannot reject a Connection that is open already: abort it");
    this.#channel.reject(errorCodes.rejected, reason);
  }

  /** @internal Sends back everything that arrives, each piece of a message as a message of its own, and then closes. */
  echo(): Promise<void> {
    this.#channel.accept();
    return echo(this.#channel);
  }

  /** The same as `close()`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
