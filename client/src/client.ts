import { errorCodes, limits, peerProblem, protocolProblem } from "@messagepasser/protocol";
import type { Channel } from "./connection/channel.ts";
import { Connection, type WaitOptions } from "./connection/connection.ts";
import { type Message, messageProblem } from "./connection/message.ts";
import { ConnectionError, type ConnectionErrorCode, LinkError } from "./errors.ts";
import type { Session } from "./session/session.ts";
import { after, within } from "./waiting.ts";

/**
 * Takes a Connection that another client opened. When the handler throws, the opener gets the code `handler-failed` and
 * nothing else; when it returns, the Connection stays open until somebody closes it.
 */
export type Handler = (connection: Connection) => void | Promise<void>;

export interface OpenOptions extends WaitOptions {
  /** Texts by name that the other end gets with the open. At most 64 entries and 4,096 bytes in all. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** A first message that travels with the open, so that a request needs no round trip of its own. */
  readonly first?: Message;
  /** How long to wait for the other end's answer. Default: 10,000. */
  readonly timeoutMs?: number;
}

export interface CloseOptions {
  /** How long to wait until peers have got what was sent. Default: 5,000. */
  readonly deadlineMs?: number;
}

/** @internal What `connect` makes a client with. */
export interface ClientStart {
  readonly name: string;
  readonly realm: string;
  readonly onHandlerError: (error: unknown, connection: Connection) => void;
}

const defaultOpenTimeoutMs = 10_000;
const defaultCloseDeadlineMs = 5_000;
const encoder = new TextEncoder();

/**
 * A client of a router: has a name, opens Connections and takes those that others open. `connect` makes it.
 * A link that drops is dialled again by itself, and Connections go on where they were. The option
 * `onStatus` tells.
 */
export class Client implements AsyncDisposable {
  /** The name by which others reach this client. */
  readonly name: string;
  /** The clients of one realm can reach each other. */
  readonly realm: string;
  /** Resolves when the client is over, and doesn't dial again: with `undefined` after `close`, with the error otherwise. Never rejects. */
  readonly closed: Promise<LinkError | undefined>;

  readonly #session: Session;
  readonly #onHandlerError: (error: unknown, connection: Connection) => void;
  // Every client answers "$ping", for `mp ping`.
  readonly #handlers = new Map<string, Handler>([["$ping", echo]]);
  #any: ((connection: Connection) => unknown) | undefined;
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(session: Session, start: ClientStart) {
    this.#session = session;
    this.name = start.name;
    this.realm = start.realm;
    this.closed = session.closed;
    this.#onHandlerError = start.onHandlerError;
    session.onIncoming = (channel) => void this.#take(channel);
  }

  /**
   * Takes Connections of a protocol from now on, instead of the handler before, if there was one.
   * Connections of other protocols are refused with the code `unknown-protocol`.
   *
   * @throws TypeError for a bad protocol name.
   */
  handle(protocol: string, handler: Handler): void {
    const rule = protocolProblem(protocol);
    if (rule !== undefined) throw new TypeError(`Cannot handle ${JSON.stringify(protocol)}: a protocol's name ${rule}`);
    if (typeof handler !== "function")
      throw new TypeError(`Cannot handle "${protocol}": its handler is not a function`);
    this.#handlers.set(protocol, handler);
  }

  /**
   * Takes Connections of all protocols without a handler of their own: for who passes them on. Where it returns `false`,
   * the opener gets the code `unknown-protocol`.
   */
  handleAny(handler: (connection: Connection) => boolean | Promise<boolean>): void {
    this.#any = handler;
  }

  /** Takes no more Connections of a protocol; those that are open go on. */
  unhandle(protocol: string): void {
    this.#handlers.delete(protocol);
  }

  /**
   * Opens a Connection to another client of the realm.
   *
   * @throws ConnectionError with a {@link ConnectionErrorCode}, such as `peer-absent` or `rejected`; or the signal's
   *   reason.
   */
  async open(peer: string, protocol: string, options: OpenOptions = {}): Promise<Connection> {
    const { metadata = {}, first, signal, timeoutMs = defaultOpenTimeoutMs } = options;
    signal?.throwIfAborted();
    const fail = (code: ConnectionErrorCode, what: string): ConnectionError =>
      new ConnectionError(code, `Cannot open "${protocol}" to "${peer}": ${what}`, { peer, protocol });
    if (this.#closing !== undefined) throw fail("closed", "this client is closed");
    if (this.#session.isOver) throw fail("link-lost", (await this.closed)?.message ?? "this client is closed");
    const problem = openProblem(peer, protocol, metadata);
    if (problem !== undefined) throw fail("bad-open", problem);
    const firstProblem = first === undefined ? undefined : messageProblem(first);
    if (firstProblem !== undefined) throw firstProblem;

    const channel = this.#session.open(peer, protocol, metadata, first);
    await within(channel.accepted, { timeoutMs, signal }, (what) => {
      const error =
        what === "aborted"
          ? channel.error("aborted", "the wait for an answer was aborted")
          : channel.error("open-timed-out", `no answer within ${timeoutMs} ms`);
      channel.reset(errorCodes.openTimedOut, "", error);
    });
    return new Connection(channel);
  }

  /** The names of all clients connected to the realm, this one included, in the order of their UTF-16 code units. */
  async peers(options: WaitOptions = {}): Promise<string[]> {
    const names: string[] = [];
    let cursor = "";
    do {
      if (this.#session.isOver)
        throw (await this.closed) ?? new LinkError("closed", "Cannot list peers: this client is closed");
      const page = await this.#session.lists.ask(cursor, options.signal);
      names.push(...page.names);
      cursor = page.cursor;
    } while (cursor !== "");
    return names;
  }

  /**
   * Ends the session in good order: takes no more Connections, waits until peers have got all that was sent, then leaves.
   * Peers see Connections that are still open end with the code `peer-gone`.
   */
  close(options: CloseOptions = {}): Promise<void> {
    return (this.#closing ??= this.#close(options.deadlineMs ?? defaultCloseDeadlineMs));
  }

  async #close(deadlineMs: number): Promise<void> {
    const deadline = Promise.withResolvers<undefined>();
    const cancelTimer = after(deadlineMs, () => {
      deadline.resolve(undefined);
    });
    const settled = Array.from(this.#session.channels(), (channel) => channel.sender.settled);
    await Promise.race([Promise.all(settled), this.closed, deadline.promise]);
    this.#session.bye();
    await Promise.race([this.closed, deadline.promise]);
    cancelTimer();
    this.#session.drop("no answer to the bye");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #take(channel: Channel): Promise<void> {
    const own = this.#handlers.get(channel.protocol);
    const handler = own ?? this.#any;
    if (this.#closing !== undefined) return channel.reject(errorCodes.busy, "The client is closing");
    if (handler === undefined) return channel.reject(errorCodes.unknownProtocol, "");
    const connection = new Connection(channel);
    try {
      const isKnown = await handler(connection);
      if (own === undefined && isKnown === false && channel.isPending) channel.reject(errorCodes.unknownProtocol, "");
      else channel.accept();
    } catch (error) {
      // Its Connection ended, which it need not catch.
      if (channel.isOver && error instanceof ConnectionError) return;
      // What a handler says of its failure is not for strangers.
      if (channel.isPending) channel.reject(errorCodes.handlerFailed, "");
      else
        channel.reset(
          errorCodes.handlerFailed,
          "",
          channel.error("handler-failed", "the handler here failed", { cause: error }),
        );
      this.#onHandlerError(error, connection);
    }
  }
}

function openProblem(peer: string, protocol: string, metadata: Readonly<Record<string, string>>): string | undefined {
  const nameRule = peerProblem(peer);
  if (nameRule !== undefined) return `the peer's name ${nameRule}`;
  const protocolRule = protocolProblem(protocol);
  if (protocolRule !== undefined) return `the protocol's name ${protocolRule}`;
  const texts = Object.entries(metadata).flat();
  if (texts.length > 2 * limits.maxMetadataEntries)
    return `metadata must have at most ${limits.maxMetadataEntries} entries`;
  if (!texts.every((text) => text.isWellFormed())) return "metadata must be well-formed Unicode";
  return encoder.encode(texts.join("")).length > limits.maxMetadataBytes
    ? `metadata must have at most ${limits.maxMetadataBytes} bytes`
    : undefined;
}

async function echo(connection: Connection): Promise<void> {
  for await (const message of connection) await connection.send(message);
  await connection.close();
}
