import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { ProtocolError } from "@messagepasser/protocol";
import { GobStream } from "./gob-stream.ts";
import { beginsJson, JsonStream } from "./json-stream.ts";
import type { OriginalMessage } from "./original.ts";
import type { MessageStream } from "./stream.ts";

/** Before it is known who somebody is: room for a name, a secret and the definition of gob's type. */
const maxFirstBytes = 16_384;
/** The original's limit of a WebSocket message for its data, a third more as base64, and the other fields. */
const maxDataBytes = 4_194_304;
const maxFieldBytes = 4_096;
const maxBytes = { gob: maxDataBytes + maxFieldBytes, json: Math.ceil(maxDataBytes / 3) * 4 + maxFieldBytes };
/** How long a program that is told of the end may take to read that. */
const lingerMs = 2_000;
/** How soon a connection whose other end vanished without a word is noticed to be dead, more or less. */
const keepAliveMs = 30_000;

/** The largest message that passes. */
export { maxDataBytes };

/** The TCP connection of one program: messages in, messages out, each as fast as its reader takes them. */
export class ProgramSocket {
  /** Resolves when the connection is no more. Never rejects. */
  readonly closed: Promise<void>;
  /** Whose it is, for people. */
  readonly address: string;
  readonly #socket: Socket;
  #stream: MessageStream | undefined;
  #isTrusted = false;
  /** While what was written is more than the program has read. */
  #full: PromiseWithResolvers<void> | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.address = `${socket.remoteAddress ?? "?"}:${socket.remotePort ?? 0}`;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, keepAliveMs);
    // The end is told as a close.
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

  /** From now on messages may be as long as the original's are. */
  trust(): void {
    this.#isTrusted = true;
    this.#setLimit();
  }

  /**
   * What the program says, up to its end. Nothing is read from the connection while nobody asks for the next message.
   * @throws ProtocolError
   */
  async *messages(): AsyncGenerator<OriginalMessage, undefined> {
    try {
      // A stream without an encoding yields Buffers. It stays open behind a fault, for the answer.
      for await (const chunk of this.#socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
        yield* this.#streamFor(chunk).read(chunk);
      }
    } catch (error) {
      // A connection that was cut off has ended as well.
      if (error instanceof ProtocolError || !this.#socket.destroyed) throw error;
    }
    return undefined;
  }

  /** Writes a message, once the program has read enough of those before. Does nothing where it has gone. Never rejects. */
  async write(message: OriginalMessage): Promise<void> {
    while (this.#full !== undefined) await this.#full.promise;
    // Before its first byte nobody knows how to answer a program.
    if (this.#stream === undefined || !this.#socket.writable) return;
    if (!this.#socket.write(this.#stream.write(message)) && !this.#socket.destroyed) {
      this.#full ??= Promise.withResolvers();
    }
  }

  /** Closes the connection once all that was written is read, or after two seconds. */
  async end(): Promise<void> {
    this.#socket.end();
    // What still comes would hold up the end.
    this.#socket.resume();
    await Promise.race([this.closed, delay(lingerMs, undefined, { ref: false })]);
    this.#socket.destroy();
    await this.closed;
  }

  #streamFor(chunk: Uint8Array): MessageStream {
    if (this.#stream === undefined) {
      // A gob stream begins with the length of its type's definition, which is none of these characters.
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
