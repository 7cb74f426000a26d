import { ProtocolError } from "@messagepasser/protocol";
import { type Client, type Connection, ConnectionError } from "messagepasser";
import { reportError } from "../output.ts";
import { metas, originalOf, type OriginalMessage, textOf } from "./original.ts";
import type { ProgramSocket } from "./program-socket.ts";

/** How a program answers an open. */
type Answer = "accepted" | "unknown-protocol" | "refused";

/** A Connection as the program sees it, by its id. */
type Entry = { readonly peer: string } & (
  | { readonly kind: "opening"; readonly abort: AbortController }
  | { readonly kind: "asked"; readonly connection: Connection; readonly answer: (answer: Answer) => void }
  | { readonly kind: "open"; readonly connection: Connection }
);

/** Connections that wait for an answer, of the program or of a peer. Stops opens from filling the memory here. */
const maxPending = 1_024;
/** Connections of one program in all. */
const maxConnections = 4_096;
const encoder = new TextEncoder();

/**
 * One program of the original, once it is known who it is: says to the router as a client what it says here, and the other
 * way round. What it sends is read no faster than its peers take it, and what comes for it no faster than it reads.
 */
export class Program {
  readonly #socket: ProgramSocket;
  readonly #client: Client;
  readonly #entries = new Map<string, Entry>();
  /** Each Connection's way from its open to its end. */
  readonly #runs = new Set<Promise<void>>();
  #pending = 0;
  #lastIncoming = 0;

  constructor(socket: ProgramSocket, client: Client) {
    this.#socket = socket;
    this.#client = client;
    client.handleAny((connection) => this.#ask(connection));
  }

  /** Resolves when nothing more is to be said of any Connection. */
  async settled(): Promise<void> {
    while (this.#runs.size > 0) await Promise.all(this.#runs);
  }

  /** Does what the program says. Resolves when it may say more. @throws ProtocolError */
  async hear(message: OriginalMessage): Promise<void> {
    const { meta, otherClient: peer, connectionId: id } = message;
    const found = this.#entries.get(id);
    // An id means something only together with the peer.
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
          // At once: what it sends on it may be the next thing that it says.
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
        await this.#socket.write(originalOf(metas.authOk, peer));
        break;
      default:
        throw new ProtocolError(`A message of Meta ${meta}, which no program sends`);
    }
  }

  async #send({ otherClient: peer, connectionId: id, data }: OriginalMessage, entry: Entry | undefined): Promise<void> {
    if (entry?.kind === "open") {
      try {
        await entry.connection.send(data);
      } catch (error) {
        // It has ended, of which the program hears behind what came before the end.
        if (!(error instanceof ConnectionError)) throw error;
      }
      return;
    }
    // One that sends before the answer to its open is as wrong as one that made an id up.
    if (entry !== undefined) this.#end(id, entry, metas.noSuchConnection);
    await this.#socket.write(originalOf(metas.noSuchConnection, peer, id));
  }

  async #open(message: OriginalMessage): Promise<void> {
    const { otherClient: peer, connectionId: id } = message;
    const protocol = textOf(message);
    if (protocol === undefined) throw new ProtocolError("A protocol's name that is not UTF-8");
    const digits = id.slice(this.#client.name.length + 1);
    if (id !== `${this.#client.name}:${digits}` || !/^[0-9a-f]{1,8}$/.test(digits))
      throw new ProtocolError("An open whose ConnectionID is not the own name, a colon and a number in hexadecimal");
    if (this.#entries.has(id)) throw new ProtocolError("An open with the ConnectionID of another Connection");
    // To itself both ends would have the same id.
    if (this.#isFull || peer === this.#client.name) {
      await this.#socket.write(originalOf(metas.noSuchConnection, peer, id));
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
      await this.#socket.write(originalOf(meta, peer, id));
      return;
    } finally {
      this.#pending--;
    }
    if (signal.aborted) {
      connection.abort();
      return;
    }
    this.#entries.set(id, { kind: "open", peer, connection });
    await this.#socket.write(originalOf(metas.accept, peer, id));
    await this.#deliver(id, connection);
  }

  /** Asks the program whether it takes a Connection. Returns whether it knows the protocol. */
  async #ask(connection: Connection): Promise<boolean> {
    if (this.#isFull) {
      connection.reject("Too many Connections are there or wait for an answer");
      return true;
    }
    const { peer, protocol } = connection;
    // Of all openers together, so of each as well.
    const id = `${peer}:${(this.#lastIncoming++).toString(16)}`;
    const answered = Promise.withResolvers<Answer>();
    this.#entries.set(id, { kind: "asked", peer, connection, answer: answered.resolve });
    this.#pending++;
    await this.#socket.write(originalOf(metas.open, peer, id, protocol));
    const answer = await Promise.race([answered.promise, connection.closed.then(() => "over" as const)]);
    this.#pending--;
    if (answer === "accepted") this.#track(this.#deliver(id, connection));
    else if (answer === "refused") connection.reject("It does not want this Connection");
    else if (answer === "over") {
      this.#entries.delete(id);
      await this.#socket.write(originalOf(metas.closed, peer, id));
    }
    return answer !== "unknown-protocol";
  }

  /** Passes on what comes, message by message, and then the end. */
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
        await this.#socket.write(originalOf(metas.data, peer, id, data));
      }
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
    }
    // The original has no half-close: it goes on sending until its peer wants nothing more.
    const error = await connection.closed;
    if (!isWanted()) return;
    this.#entries.delete(id);
    const isLast = !this.#knows(peer);
    await this.#socket.write(originalOf(metas.closed, peer, id));
    // Said of the peer as a whole, so once, and not where that has opened another Connection meanwhile.
    if (error?.code === "peer-gone" && isLast && !this.#knows(peer))
      await this.#socket.write(originalOf(metas.clientClosed, peer));
  }

  /** Whether there is a Connection with a peer, in whatever state. */
  #knows(peer: string): boolean {
    return Array.from(this.#entries.values()).some((entry) => entry.peer === peer);
  }

  /** The program is done with a Connection, or never had it. */
  #end(id: string, entry: Entry | undefined, meta: number): void {
    if (entry === undefined) return;
    this.#entries.delete(id);
    if (entry.kind === "opening") entry.abort.abort();
    else if (entry.kind === "asked") entry.answer(meta === metas.unknownProtocol ? "unknown-protocol" : "refused");
    // What it sent before still arrives. That it may fail to is no longer of interest here.
    else if (meta === metas.closed) entry.connection.close().catch(() => undefined);
    else entry.connection.abort("The program does not know of this Connection");
  }

  get #isFull(): boolean {
    return this.#pending >= maxPending || this.#entries.size >= maxConnections;
  }

  #track(run: Promise<void>): void {
    // A fault of one program's Connection is no reason to end those of all.
    const done: Promise<void> = run.catch(reportError).finally(() => this.#runs.delete(done));
    this.#runs.add(done);
  }
}
