import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { ProtocolError } from "@messagepasser/protocol";
import type { Message } from "@messagepasser/protocol/original";
import { GobStream } from "./gob-stream.ts";
import { beginsJson, JsonStream } from "./json-stream.ts";
import type { MessageStream } from "./message.ts";

/** Before the program has logged in: room for a name, a secret and gob's type definition. */
const maxFirstBytes = 16_384;
/** The largest message that is passed on: the original's limit. Base64 needs a third more, and the other fields some too. */
export const maxDataBytes = 4_194_304;
const maxFieldBytes = 4_096;
const maxBytes = { gob: maxDataBytes + maxFieldBytes, json: Math.ceil(maxDataBytes / 3) * 4 + maxFieldBytes };
/** How long a program may take to read the last messages before its connection is cut. */
const lingerMs = 2_000;
/** About how soon a connection is closed whose other end has vanished. */
const keepAliveMs = 30_000;

/** The TCP connection of one program: messages in and out, each as fast as their reader reads. */
export class ProgramSocket {
  /** Resolves when the connection is closed. Never rejects. */
  readonly closed: Promise<void>;
  /** The program's address, for people. */
  readonly address: string;
  readonly #socket: Socket;
  #stream: MessageStream | undefined;
  #isTrusted = false;
  /** Set while more is written than the program has read. */
  #full: PromiseWithResolvers<void> | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.address = `${socket.remoteAddress ?? "?"}:${socket.remotePort ?? 0}`;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, keepAliveMs);
    // A "close" event follows.
    socket.on("error", () => undefined);
    const hasRoom = (): void => {
      this.#full?.resolve();
      this.#full = undefined;
    };
    socket.on("drain", hasRoom);
    this.closed = new Promise((resolve) => {
      socket.once("close", () => {
        hasRoom();
        resolve();
      });
    });
  }

  /** Allows messages as long as the original's: the program has logged in. */
  trust(): void {
    this.#isTrusted = true;
    this.#setLimit();
  }

  /**
   * The program's messages. Nothing is read from the connection until the next message is asked for.
   * @throws ProtocolError
   */
  async *messages(): AsyncGenerator<Message, undefined> {
    try {
      // A stream without an encoding yields Buffers. The connection stays open after a fault, for the answer.
      for await (const chunk of this.#socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
        yield* this.#streamFor(chunk).read(chunk);
      }
    } catch (error) {
      // A connection that was cut has ended too.
      if (error instanceof ProtocolError || !this.#socket.destroyed) throw error;
    }
    return undefined;
  }

  /** Writes a message once the program has read enough of the earlier ones. Does nothing if it has gone. Never rejects. */
  async write(message: Message): Promise<void> {
    while (this.#full !== undefined) await this.#full.promise;
    // The program's first byte decides in which encoding to answer.
    if (this.#stream === undefined || !this.#socket.writable) return;
    if (!this.#socket.write(this.#stream.write(message)) && !this.#socket.destroyed) {
      this.#full ??= Promise.withResolvers();
    }
  }

  /** Closes the connection once the program has read everything, or after two seconds. */
  async end(): Promise<void> {
    this.#socket.end();
    // Unread data would delay the end.
    this.#socket.resume();
    await Promise.race([this.closed, delay(lingerMs, undefined, { ref: false })]);
    this.#socket.destroy();
    await this.closed;
  }

  #streamFor(chunk: Uint8Array): MessageStream {
    if (this.#stream === undefined) {
      // A gob stream begins with the length of its type definition, which is none of these characters.
      this.#stream = beginsJson(chunk[0]) ? new JsonStream(0) : new GobStream(0);
      this.#setLimit();
    }
    return this.#stream;
  }

  #setLimit(): void {
    if (this.#stream === undefined) return;
    const most = this.#stream instanceof GobStream ? maxBytes.gob : maxBytes.json;
    this.#stream.maxBytes = this.#isTrusted ? most : maxFirstBytes;
  }
}
