import { setTimeout as delay } from "node:timers/promises";
import { ProtocolError } from "@messagepasser/protocol";
import { type Message, metas } from "@messagepasser/protocol/original";
import { type Client, connect, LinkError } from "messagepasser";
import { lost, statusNotes } from "../client.ts";
import { note, reportError } from "../output.ts";
import type { RouterSettings } from "../settings.ts";
import { aborted } from "../signals.ts";
import { messageOf, textOf } from "./message.ts";
import { Program } from "./program.ts";
import { maxDataBytes, type ProgramSocket } from "./program-socket.ts";
import { reasonOf } from "../status.ts";

/** How long a program may take to log in. */
const firstMessageMs = 10_000;
/** How long the program's messages may take to reach its peers after its TCP connection was cut, or the bridge stops. */
const cutMs = 5_000;
/** The same for a program that left by itself. */
const leaveMs = 30_000;
/** How long a slow program may take to read how its Connections ended. */
const lastWordsMs = 1_000;

/** The bridge is stopping, or the program has gone. */
class Left extends Error {}

/** One program's time at the bridge: from its first byte until its TCP connection is closed. */
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

  /** Ends it in good order: messages that the program has sent still arrive, and it is told how its Connections ended. */
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

  /** The program's first message; `undefined` if it leaves before. */
  async #first(messages: AsyncGenerator<Message, undefined>): Promise<Message | undefined> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      late.reject(new ProtocolError(`The program sent no name and secret within ${firstMessageMs / 1_000} s`));
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
  async #enter(first: Message): Promise<Client> {
    const secret = textOf(first);
    if (first.meta !== metas.auth) throw new ProtocolError(`The first message must have Meta ${metas.auth}`);
    if (secret === undefined) throw new ProtocolError("The secret is not UTF-8");
    this.#name = first.otherClient;
    const { url, ...settings } = this.#settings;
    // A program that has gone needs no client.
    void this.#socket.closed.then(() => {
      if (!this.#isIn) this.stop();
    });
    const client = await connect(url, {
      ...settings,
      name: this.#name,
      secret,
      maxMessageBytes: maxDataBytes,
      signal: this.#leave.signal,
      onStatus: statusNotes(` of "${this.#name}"`),
      onHandlerError: reportError,
    });
    this.#isIn = true;
    return client;
  }

  async #stay(messages: AsyncGenerator<Message, undefined>, client: Client): Promise<void> {
    this.#socket.trust();
    // Before anything that a peer may open at once. The first message never has to wait.
    void this.#socket.write(messageOf(metas.authOk, this.#name));
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

  /** Tells the program and people why it ends. */
  async #tell(error: unknown): Promise<void> {
    if (error instanceof Left) return;
    const why = reasonOf(error);
    if (error instanceof ProtocolError || error instanceof TypeError || error instanceof LinkError) {
      note(`${this.#name === "" ? "A program" : `"${this.#name}"`} at ${this.#socket.address}: ${why}`);
    } else reportError(error);
    // The original expects a failure only as the answer to its first message. A lost link is no fault of the program.
    if (!this.#isIn) await this.#lastWord(messageOf(metas.authFailure, this.#name, "", why));
    else if (error instanceof ProtocolError) await this.#lastWord(messageOf(metas.invalid, this.#name, "", why));
  }

  /** Sends the last message, without waiting for a program that doesn't read. */
  async #lastWord(message: Message): Promise<void> {
    await Promise.race([this.#socket.write(message), delay(lastWordsMs, undefined, { ref: false })]);
  }
}

async function hearAll(messages: AsyncIterable<Message>, program: Program): Promise<void> {
  for await (const message of messages) await program.hear(message);
}
