import { ProtocolError } from "@messagepasser/protocol";
import { type Message, metas } from "@messagepasser/protocol/original";
import { type Client, type Connection, ConnectionError } from "messagepasser";
import { reportError } from "../output.ts";
import { messageOf, textOf } from "./message.ts";
import type { ProgramSocket } from "./program-socket.ts";

/** A program's answer to an open. */
type Answer = "accepted" | "unknown-protocol" | "refused";

/** A Connection as the program sees it. */
type Entry = { readonly peer: string } & (
  | { readonly kind: "opening"; readonly abort: AbortController }
  | { readonly kind: "asked"; readonly connection: Connection; readonly answer: (answer: Answer) => void }
  | { readonly kind: "open"; readonly connection: Connection }
);

/** Opens that the program or a peer has not answered. Keeps opens from filling the bridge's memory. */
const maxPending = 1_024;
/** Connections of one program in all. */
const maxConnections = 4_096;
const encoder = new TextEncoder();

/**
 * One program of the original, once it has logged in: the bridge acts as a client for it. The bridge reads from the program
 * no faster than its peers read, and from its peers no faster than the program reads.
 */
export class Program {
  readonly #socket: ProgramSocket;
  readonly #client: Client;
  readonly #entries = new Map<string, Entry>();
  /** The work for each Connection, from its open to its end. */
  readonly #runs = new Set<Promise<void>>();
  #pending = 0;
  #lastIncoming = 0;

  constructor(socket: ProgramSocket, client: Client) {
    this.#socket = socket;
    this.#client = client;
    client.handleAny((connection) => this.#ask(connection));
  }

  /** Resolves when the program has been told of the end of each Connection. */
  async settled(): Promise<void> {
    while (this.#runs.size > 0) await Promise.all(this.#runs);
  }

  /** Handles a message of the program. Resolves when the next one may be handled. @throws ProtocolError */
  async hear(message: Message): Promise<void> {
    const { meta, otherClient: peer, connectionId: id } = message;
    const found = this.#entries.get(id);
    // An id is valid only together with its peer.
    const entry = found?.peer === peer ? found : undefined;
    switch (meta) {
      case metas.data:
        await this.#send(message, entry);
        break;
      case metas.open:
        await this.#open(message);
        break;
      case metas.accept:
        if (entry?.kind === "asked") {
          // At once, since the program's next message may be for this Connection.
          this.#entries.set(id, { kind: "open", peer, connection: entry.connection });
          entry.answer("accepted");
        }
        break;
      case metas.unknownProtocol:
      case metas.noSuchConnection:
      case metas.closed:
        this.#end(id, entry, meta);
        break;
      case metas.auth:
        if (peer !== this.#client.name) throw new ProtocolError("A second name on one TCP connection");
        await this.#socket.write(messageOf(metas.authOk, peer));
        break;
      default:
        throw new ProtocolError(`A message of Meta ${meta}, which no program sends`);
    }
  }

  async #send({ otherClient: peer, connectionId: id, data }: Message, entry: Entry | undefined): Promise<void> {
    if (entry?.kind === "open") {
      try {
        await entry.connection.send(data);
      } catch (error) {
        // The Connection has ended. The program is told after the data that arrived before the end.
        if (!(error instanceof ConnectionError)) throw error;
      }
      return;
    }
    // Sending before the answer to an open is as wrong as sending to an unknown id.
    if (entry !== undefined) this.#end(id, entry, metas.noSuchConnection);
    await this.#socket.write(messageOf(metas.noSuchConnection, peer, id));
  }

  async #open(message: Message): Promise<void> {
    const { otherClient: peer, connectionId: id } = message;
    const protocol = textOf(message);
    if (protocol === undefined) throw new ProtocolError("A protocol's name that is not UTF-8");
    const digits = id.slice(this.#client.name.length + 1);
    if (id !== `${this.#client.name}:${digits}` || !/^[0-9a-f]{1,8}$/.test(digits))
      throw new ProtocolError("An open whose ConnectionID is not the own name, a colon and a number in hexadecimal");
    if (this.#entries.has(id)) throw new ProtocolError("An open with the ConnectionID of another Connection");
    // For a Connection to itself, both ends would have the same id.
    if (this.#isFull || peer === this.#client.name) {
      await this.#socket.write(messageOf(metas.noSuchConnection, peer, id));
      return;
    }
    const abort = new AbortController();
    this.#entries.set(id, { kind: "opening", peer, abort });
    this.#track(this.#runOpening(id, peer, protocol, abort.signal));
  }

  async #runOpening(id: string, peer: string, protocol: string, signal: AbortSignal): Promise<void> {
    let connection: Connection;
    this.#pending++;
    try {
      connection = await this.#client.open(peer, protocol, { signal });
    } catch (error) {
      if (signal.aborted) return;
      this.#entries.delete(id);
      if (!(error instanceof ConnectionError)) throw error;
      const meta = error.code === "unknown-protocol" ? metas.unknownProtocol : metas.noSuchConnection;
      await this.#socket.write(messageOf(meta, peer, id));
      return;
    } finally {
      this.#pending--;
    }
    if (signal.aborted) {
      connection.abort();
      return;
    }
    this.#entries.set(id, { kind: "open", peer, connection });
    await this.#socket.write(messageOf(metas.accept, peer, id));
    await this.#deliver(id, connection);
  }

  /** Asks the program whether to accept a Connection. Returns whether the program knows the protocol. */
  async #ask(connection: Connection): Promise<boolean> {
    if (this.#isFull) {
      connection.reject("The program has too many Connections, open or unanswered");
      return true;
    }
    const { peer, protocol } = connection;
    // Counted over all openers, so unique for each.
    const id = `${peer}:${(this.#lastIncoming++).toString(16)}`;
    const answered = Promise.withResolvers<Answer>();
    this.#entries.set(id, { kind: "asked", peer, connection, answer: answered.resolve });
    this.#pending++;
    await this.#socket.write(messageOf(metas.open, peer, id, protocol));
    const answer = await Promise.race([answered.promise, connection.closed.then(() => "over" as const)]);
    this.#pending--;
    if (answer === "accepted") this.#track(this.#deliver(id, connection));
    else if (answer === "refused") connection.reject("The program refused the Connection");
    else if (answer === "over") {
      this.#entries.delete(id);
      await this.#socket.write(messageOf(metas.closed, peer, id));
    }
    return answer !== "unknown-protocol";
  }

  /** Passes on each message of a Connection, and then its end. */
  async #deliver(id: string, connection: Connection): Promise<void> {
    const { peer } = connection;
    const isWanted = (): boolean => {
      const entry = this.#entries.get(id);
      return entry?.kind === "open" && entry.connection === connection;
    };
    try {
      for await (const message of connection) {
        const data = typeof message === "string" ? encoder.encode(message) : message;
        if (!isWanted()) break;
        await this.#socket.write(messageOf(metas.data, peer, id, data));
      }
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
    }
    // The original has no half-close: the program may send until its peer has closed both directions.
    const error = await connection.closed;
    if (!isWanted()) return;
    this.#entries.delete(id);
    const isLast = !this.#knows(peer);
    await this.#socket.write(messageOf(metas.closed, peer, id));
    // This is about the peer as a whole: once, and not if the peer has opened another Connection meanwhile.
    if (error?.code === "peer-gone" && isLast && !this.#knows(peer))
      await this.#socket.write(messageOf(metas.clientClosed, peer));
  }

  /** Whether there is a Connection with a peer, in any state. */
  #knows(peer: string): boolean {
    return Array.from(this.#entries.values()).some((entry) => entry.peer === peer);
  }

  /** The program has ended a Connection, or doesn't know it. */
  #end(id: string, entry: Entry | undefined, meta: number): void {
    if (entry === undefined) return;
    this.#entries.delete(id);
    if (entry.kind === "opening") entry.abort.abort();
    else if (entry.kind === "asked") entry.answer(meta === metas.unknownProtocol ? "unknown-protocol" : "refused");
    // Messages that were sent before still arrive. If they don't, nobody is left to tell.
    else if (meta === metas.closed) entry.connection.close().catch(() => undefined);
    else entry.connection.abort("The program does not know this Connection");
  }

  get #isFull(): boolean {
    return this.#pending >= maxPending || this.#entries.size >= maxConnections;
  }

  #track(run: Promise<void>): void {
    // A fault of one Connection must not end the others.
    const done: Promise<void> = run.catch(reportError).finally(() => this.#runs.delete(done));
    this.#runs.add(done);
  }
}
