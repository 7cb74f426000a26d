import {
  anySession,
  clientLimits,
  errorCodes,
  labelOf,
  limits,
  protocolProblem,
  utf8Length,
} from "@messagepasser/protocol";
import type { Channel } from "./connection/channel.ts";
import { Connection, type WaitOptions } from "./connection/connection.ts";
import { type Message, messageProblem } from "./connection/message.ts";
import { plainView } from "./connection/pending.ts";
import { ConnectionError, type ConnectionErrorCode, LinkError } from "./errors.ts";
import { metadataEntries, openProblem, targetProblem } from "./open-check.ts";
import { checkOptions, waitProblem } from "./options.ts";
import type { PeerChange, PeerSession } from "./presence.ts";
import { everything } from "./session/serving.ts";
import { firstAccepted, isOneFrame } from "./second-open.ts";
import type { Session } from "./session/session.ts";
import type { Watches } from "./session/watches.ts";
import type { LinkStatus } from "./status.ts";
import { after } from "./waiting.ts";

/**
 * Handles a Connection that another client opened. The Connection stays open after the handler has returned, until one
 * end closes it. If the handler throws, the Connection fails at the opener with the code `handler-failed`, and the opener
 * is told nothing of what was thrown.
 */
export type Handler = (connection: Connection) => void | Promise<void>;

/** Options of {@link Client.handle} and {@link Client.handleAny}. */
export interface HandleOptions {
  /**
   * Whether opens are spread over all sessions of this name that share the protocol: a pool of workers.
   *
   * @defaultValue `false`: the newest session gets all opens
   */
  readonly share?: boolean;
}

/** Options of {@link Client.open}. */
export interface OpenOptions extends WaitOptions {
  /**
   * Strings by key, which the peer sees before it accepts. At most 64 entries, and at most 4,096 bytes of keys and values
   * together, in UTF-8.
   *
   * @defaultValue `{}`
   */
  readonly metadata?: Readonly<Record<string, string>>;
  /**
   * A first message that travels with the open, so that a request needs no extra round trip. Of a message that is longer
   * than 65,536 bytes, the rest follows once the peer has accepted. Bytes are copied before `open` returns its promise.
   */
  readonly first?: Message;
  /**
   * The longest wait for the peer's answer, in milliseconds. `Infinity` waits without end.
   *
   * @defaultValue `10_000`
   */
  readonly timeoutMs?: number;
  /**
   * How long to wait for a peer that is absent before `open` rejects with `peer-absent`, in milliseconds. Meant for a peer
   * that is about to connect, or whose link comes and goes. Extends `timeoutMs`. `Infinity` waits without end.
   *
   * @defaultValue `0`
   */
  readonly waitMs?: number;
  /**
   * The only session of the peer that may get the open, as `connection.session` names it.
   *
   * @defaultValue one that the router chooses: of those that handle the protocol, the newest, or one of those that share it
   */
  readonly session?: string;
  /** The only instance of the peer that may get the open: the session whose `connect` has this `instance`. */
  readonly instance?: string;
}

/** Options of {@link Client.close}. */
export interface CloseOptions {
  /**
   * The longest wait until peers have received everything that was sent, in milliseconds.
   *
   * @defaultValue `5_000`
   */
  readonly deadlineMs?: number;
}

/** Options of {@link Client.peers}. */
export interface PeersOptions extends WaitOptions {
  /**
   * Whether to list each session instead of each name.
   *
   * @defaultValue `false`
   */
  readonly details?: boolean;
}

/** @internal What `connect` makes a client with. */
export interface ClientStart {
  readonly name: string;
  readonly realm: string;
  readonly session: string;
  readonly instance: string;
  readonly onHandlerError: (error: unknown, connection: Connection) => void;
}

/**
 * A client of a router: it has a name, opens Connections to other clients and handles those that other clients open.
 * `connect` makes one. After a lost link the client reconnects by itself, and its Connections continue where they were;
 * the option `onStatus` is told.
 */
export class Client implements AsyncDisposable {
  /** The name by which peers reach this client. */
  readonly name: string;
  /** This session: 32 hexadecimal digits, which no other session has. A name may have many sessions at once. */
  readonly session: string;
  /** The instance of this session; empty for none. */
  readonly instance: string;
  /** The realm of this client. Clients of one realm can reach each other. */
  readonly realm: string;
  /**
   * Resolves when the client has ended and doesn't reconnect any more: to `undefined` after `close`, otherwise to the
   * error. Never rejects.
   */
  readonly closed: Promise<LinkError | undefined>;

  readonly #session: Session;
  readonly #onHandlerError: (error: unknown, connection: Connection) => void;
  readonly #handlers = new Map<string, Handler>();
  #any: ((connection: Connection) => unknown) | undefined;
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(session: Session, start: ClientStart) {
    this.#session = session;
    this.name = start.name;
    this.realm = start.realm;
    this.session = start.session;
    this.instance = start.instance;
    this.closed = session.closed;
    this.#onHandlerError = start.onHandlerError;
    session.onIncoming = (channel) => void this.#take(channel);
    // Every client answers it, for `mp ping`.
    this.handle("$ping", (connection) => connection.echo());
  }

  /** The state of the link: what `onStatus` was told about it last. */
  get status(): LinkStatus {
    return this.#session.status;
  }

  /**
   * Handles the Connections of one protocol from now on, in place of an earlier handler of that protocol. An open of a
   * protocol without a handler is refused with the code `unknown-protocol`. Of several sessions of this name that handle
   * the protocol, the newest gets all opens, unless they share it.
   *
   * @param protocol 1 to 128 bytes of UTF-8 without control characters.
   * @throws TypeError if the protocol's name breaks a rule, the handler is not a function, or an option is of the wrong type.
   */
  handle(protocol: string, handler: Handler, options: HandleOptions = {}): void {
    const rule = typeof protocol === "string" ? protocolProblem(protocol) : "must be a string";
    if (rule !== undefined) throw new TypeError(`Cannot handle ${JSON.stringify(protocol)}: a protocol's name ${rule}`);
    if (typeof handler !== "function")
      throw new TypeError(`Cannot handle "${protocol}": its handler is not a function`);
    this.#handlers.set(protocol, handler);
    this.#session.serving.add(protocol, isShared(options));
  }

  /**
   * Handles every Connection whose protocol has no handler, in place of an earlier such handler. Meant for programs that
   * forward Connections.
   *
   * @param handler returns `false` to refuse the Connection with the code `unknown-protocol`.
   * @throws TypeError if the handler is not a function, or an option is of the wrong type.
   */
  handleAny(handler: (connection: Connection) => boolean | Promise<boolean>, options: HandleOptions = {}): void {
    if (typeof handler !== "function") throw new TypeError('Cannot handle "*": its handler is not a function');
    this.#any = handler;
    this.#session.serving.add(everything, isShared(options));
  }

  /** Removes the handler of a protocol. Connections that are open continue. */
  unhandle(protocol: string): void {
    this.#handlers.delete(protocol);
    this.#session.serving.remove(protocol);
  }

  /**
   * Opens a Connection to a client of the realm, which may be this one. Resolves once the peer has accepted it.
   *
   * @param peer the peer's name.
   * @param protocol 1 to 128 bytes of UTF-8 without control characters.
   * @throws ConnectionError with a {@link ConnectionErrorCode}: `peer-absent`, `unknown-protocol`, `rejected`,
   *   `handler-failed`, `not-allowed`, `busy` or `too-many-connections` if the peer or the router refuses; `bad-open` if a
   *   name or the metadata breaks a rule; `open-timed-out` after `timeoutMs`; `peer-gone`, `link-lost` or `closed` if the
   *   peer or this client ends first.
   * @throws TypeError if `first` is neither a string nor a Uint8Array, or another option is of the wrong type.
   * @throws the signal's reason, if the signal fires first.
   */
  async open(peer: string, protocol: string, options: OpenOptions = {}): Promise<Connection> {
    const problem = waitProblem(options);
    if (problem !== undefined) throw problem;
    const { metadata = {}, first, signal, timeoutMs = clientLimits.answerWithinMs, waitMs = 0 } = options;
    signal?.throwIfAborted();
    const { session = anySession, instance = "" } = options;
    checkOptions("open a Connection", "string", { peer: peer ?? null, protocol: protocol ?? null, session, instance });
    checkOptions("open a Connection", "object", { metadata });
    const entries = metadataEntries(metadata);
    checkOptions("open a Connection", "number", { timeoutMs, waitMs });
    const fail = (code: ConnectionErrorCode, what: string): ConnectionError =>
      new ConnectionError(code, `Cannot open "${protocol}" to "${peer}": ${what}`, { peer, protocol });
    if (this.#closing !== undefined) throw fail("closed", "this client is closed");
    if (this.#session.isOver) throw fail("link-lost", (await this.closed)?.message ?? "this client is closed");
    const isForAny = session === anySession && instance === "";
    const rule = openProblem(peer, protocol, entries) ?? (isForAny ? undefined : targetProblem(session, instance));
    if (rule !== undefined) throw fail("bad-open", rule);
    const firstProblem = first === undefined ? undefined : messageProblem(first);
    if (firstProblem !== undefined) throw firstProblem;

    const to = { label: labelOf(peer, instance), session };
    const channel = this.#session.open(peer, protocol, { metadata, first, waitMs, to });
    const mayRepeat = isForAny && isOneFrame(first);
    // The program may change its bytes.
    const copy = mayRepeat && typeof first === "object" ? plainView(first).slice() : first;
    const openAnother = (but: string): Channel => {
      const another = { label: peer, session: but, isExcluded: true };
      return this.#session.open(peer, protocol, { metadata, first: copy, to: another });
    };
    const patienceMs = Math.min(clientLimits.secondOpenAfterMs, timeoutMs / 4);
    const wait = { patienceMs, timeoutMs: timeoutMs + waitMs, signal };
    const accepted = await firstAccepted(channel, wait, mayRepeat ? openAnother : undefined);
    return new Connection(accepted);
  }

  /** The sessions of the clients that the other form of this call names, in the order of names, the oldest session first. */
  async peers(options: PeersOptions & { readonly details: true }): Promise<PeerSession[]>;
  /**
   * The names of all connected clients of the realm that this one may open something to, or that may open something to it,
   * in the order of their UTF-16 code units. Its own name is among them, and so are its guests'. Waits for a link while there
   * is none.
   *
   * @throws LinkError with the code `closed` if this client was closed, or with the code that ended it.
   * @throws TypeError for an option of the wrong type.
   * @throws RangeError while this client watches as many other patterns as it may.
   * @throws the signal's reason, if the signal fires first.
   */
  async peers(options?: PeersOptions & { readonly details?: false }): Promise<string[]>;
  async peers(options: PeersOptions = {}): Promise<string[] | PeerSession[]> {
    const problem = waitProblem(options);
    if (problem !== undefined) throw problem;
    const { details = false, signal } = options;
    checkOptions("list peers", "boolean", { details });
    signal?.throwIfAborted();
    const reader = this.#session.watches.read("*");
    try {
      const sessions = await reader.all(signal);
      if (sessions === undefined) throw new LinkError("closed", "Cannot list peers: this client is closed");
      if (details) return sessions.sort(byNameAndAge);
      return Array.from(new Set(sessions.map(({ name }) => name))).sort(byCodeUnit);
    } finally {
      reader.close();
    }
  }

  /**
   * Watches who is connected: yields each session that is connected, then each that connects, leaves, or serves something
   * else. Continues over lost links, after which it yields only the differences. Several changes of one session that the
   * program has not read yet become one. Ends when the loop is left or the client is closed.
   *
   * @param pattern which names to watch: in it, `*` stands for any characters. At most 128 bytes. A client can watch 8
   *   patterns at once, each as often as it likes.
   * @defaultValue `"*"`, every client that `peers` would list
   * @throws TypeError for a pattern that is no string or too long, or a signal that is no AbortSignal. The loop throws a
   *   RangeError for one pattern too many, a LinkError with the code that ended this client, unless that is `closed`, and the
   *   signal's reason if the signal fires.
   */
  watch(pattern = "*", options: WaitOptions = {}): AsyncGenerator<PeerChange, undefined> {
    const problem = waitProblem(options);
    if (problem !== undefined) throw problem;
    checkOptions("watch", "string", { pattern });
    if (utf8Length(pattern) > limits.maxNameBytes)
      throw new TypeError(`Cannot watch: a pattern must have at most ${limits.maxNameBytes} bytes`);
    return changesOf(this.#session.watches, pattern, options.signal);
  }

  /**
   * Ends the client in good order: it refuses further Connections, waits until peers have received everything that was
   * sent, but at most `deadlineMs`, and disconnects. Connections that are still open fail with the code `closed` here and
   * `peer-gone` at the peers. Never rejects; every call returns the promise of the first.
   *
   * @throws TypeError for a deadline that is no number of 0 or more.
   */
  close(options: CloseOptions = {}): Promise<void> {
    const problem = waitProblem(options);
    if (problem !== undefined) throw problem;
    const { deadlineMs = clientLimits.defaultCloseDeadlineMs } = options;
    checkOptions("close", "number", { deadlineMs });
    return (this.#closing ??= this.#close(deadlineMs));
  }

  async #close(deadlineMs: number): Promise<void> {
    const deadline = Promise.withResolvers<undefined>();
    const cancelTimer = after(deadlineMs, () => {
      deadline.resolve(undefined);
    });
    const settled = Array.from(this.#session.channels(), ({ sender }) => {
      sender.hurry();
      return sender.settled;
    });
    await Promise.race([Promise.all(settled), this.closed, deadline.promise]);
    this.#session.bye();
    await Promise.race([this.closed, deadline.promise]);
    cancelTimer();
    this.#session.drop("no answer to the bye");
  }

  /** The same as `close()`, for `await using`. */
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
      // The text of a handler's error may be private, so the peer doesn't get it.
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

/** What a reader is told, until there is no more. */
async function* changesOf(
  watches: Watches,
  pattern: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<PeerChange, undefined> {
  const reader = watches.read(pattern);
  try {
    do {
      for (let change = reader.take(); change !== undefined; change = reader.take()) {
        signal?.throwIfAborted();
        yield change;
      }
    } while (await reader.more(signal));
  } finally {
    reader.close();
  }
}

function byCodeUnit(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}

function byNameAndAge(one: PeerSession, other: PeerSession): number {
  return byCodeUnit(one.name, other.name) || one.sinceMs - other.sinceMs;
}

/** @throws TypeError for options of the wrong type */
function isShared(options: HandleOptions): boolean {
  checkOptions("handle", "object", { options });
  checkOptions("handle", "boolean", { share: options.share });
  return options.share ?? false;
}
