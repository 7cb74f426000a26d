import { setTimeout as delay } from "node:timers/promises";
import { ProtocolError } from "@messagepasser/protocol";
import { type Client, connect, LinkError, type Status } from "messagepasser";
import { lost } from "../client.ts";
import { note, reportError } from "../output.ts";
import type { RouterSettings } from "../settings.ts";
import { aborted } from "../signals.ts";
import { metas, originalOf, type OriginalMessage, textOf } from "./original.ts";
import { Program } from "./program.ts";
import { maxDataBytes, type ProgramSocket } from "./program-socket.ts";

/** How long a program may take to say who it is. */
const firstMessageMs = 10_000;
/** How long what a program had sent may take to be passed on: once its TCP connection was cut, or it has to go. */
const cutMs = 5_000;
/** The same where it left by itself. Until then its name is taken, though not for who comes with its secret. */
const leaveMs = 30_000;
/** How long a program that reads slowly may take until it was told how its Connections ended. */
const lastWordsMs = 1_000;

/** The bridge is told to stop, or the program is no longer there. */
class Left extends Error {}

/** One program's visit: from its first byte until its TCP connection is closed. */
export class Visit {
  /** Resolves when the TCP connection is closed. Never rejects. */
  readonly done: Promise<void>;
  readonly #socket: ProgramSocket;
  readonly #settings: RouterSettings;
  readonly #leave = new AbortController();
  #name = "";
  #isIn = false;

  constructor(socket: ProgramSocket, settings: RouterSettings) {
    this.#socket = socket;
    this.#settings = settings;
    this.done = this.#run();
  }

  /** Ends it in good order: what the program has sent still arrives, and it hears of the end of its Connections. */
  stop(): void {
    this.#leave.abort(new Left());
  }

  async #run(): Promise<void> {
    const messages = this.#socket.messages();
    try {
      const first = await this.#first(messages);
      if (first !== undefined) {
        const client = await this.#enter(first);
        await this.#stay(messages, client);
      }
    } catch (error) {
      await this.#tell(error);
    }
    await this.#socket.end();
  }

  /** What the program says first; `undefined` if it leaves without a word. */
  async #first(messages: AsyncGenerator<OriginalMessage, undefined>): Promise<OriginalMessage | undefined> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      late.reject(new ProtocolError(`No name and secret came within ${firstMessageMs / 1_000} s`));
    }, firstMessageMs);
    const first = messages.next();
    first.catch(() => undefined);
    try {
      return (await Promise.race([first, late.promise, aborted(this.#leave.signal)])).value;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Connects to the router with the name and the secret that the program presents. */
  async #enter(first: OriginalMessage): Promise<Client> {
    const secret = textOf(first);
    if (first.meta !== metas.auth) throw new ProtocolError(`The first message has to be one of Meta ${metas.auth}`);
    if (secret === undefined) throw new ProtocolError("The secret is not UTF-8");
    this.#name = first.otherClient;
    const { url, ...settings } = this.#settings;
    // Nobody is to be connected for a program that has gone.
    void this.#socket.closed.then(() => {
      if (!this.#isIn) this.stop();
    });
    const client = await connect(url, {
      ...settings,
      name: this.#name,
      secret,
      maxMessageBytes: maxDataBytes,
      signal: this.#leave.signal,
      onStatus: (status) => {
        this.#noteStatus(status);
      },
      onHandlerError: reportError,
    });
    this.#isIn = true;
    return client;
  }

  async #stay(messages: AsyncGenerator<OriginalMessage, undefined>, client: Client): Promise<void> {
    this.#socket.trust();
    // The first that it hears, also before what a peer may open at once: nothing that is written now has to wait.
    void this.#socket.write(originalOf(metas.authOk, this.#name));
    const program = new Program(this.#socket, client);
    note(`"${this.#name}" at ${this.#socket.address} is connected`);
    const heard = hearAll(messages, program);
    const cut = this.#socket.closed.then(() => delay(cutMs, undefined, { ref: false }));
    try {
      await Promise.race([heard, cut, lost(client), aborted(this.#leave.signal)]);
      note(`"${this.#name}" has left`);
    } finally {
      heard.catch(() => undefined);
      const stopped = aborted(this.#leave.signal).catch(() => delay(cutMs, undefined, { ref: false }));
      await Promise.race([client.close({ deadlineMs: leaveMs }), stopped]);
      await Promise.race([program.settled(), delay(lastWordsMs, undefined, { ref: false })]);
    }
  }

  /** Says why it ends, to the program and to people. */
  async #tell(error: unknown): Promise<void> {
    if (error instanceof Left) return;
    const why = error instanceof Error ? error.message : String(error);
    if (error instanceof ProtocolError || error instanceof TypeError || error instanceof LinkError) {
      note(`${this.#name === "" ? "A program" : `"${this.#name}"`} at ${this.#socket.address}: ${why}`);
    } else reportError(error);
    // The original knows a failure only as the answer to its first message. A link that ended is no fault of the program.
    if (!this.#isIn) await this.#lastWord(originalOf(metas.authFailure, this.#name, "", why));
    else if (error instanceof ProtocolError) await this.#lastWord(originalOf(metas.invalid, this.#name, "", why));
  }

  /** A program that doesn't read is not waited for. */
  async #lastWord(message: OriginalMessage): Promise<void> {
    await Promise.race([this.#socket.write(message), delay(lastWordsMs, undefined, { ref: false })]);
  }

  #noteStatus(status: Status): void {
    if (status.kind === "offline")
      note(`${status.error.message}; trying again in ${(status.retryInMs / 1_000).toFixed(1)} s`);
    else if (status.kind === "online") note(`The link of "${this.#name}" to the router is back`);
    else note(`Connections of "${this.#name}" with "${status.peer}" go on`);
  }
}

async function hearAll(messages: AsyncIterable<OriginalMessage>, program: Program): Promise<void> {
  for await (const message of messages) await program.hear(message);
}
