import { Buffer } from "node:buffer";
import { subprotocols } from "@messagepasser/protocol";
import type { ClientSettings } from "../settings.ts";
import { Failure, statuses } from "../status.ts";
import { wrong } from "./examination.ts";
import { within } from "./exchange.ts";
import { pageOf } from "./network.ts";

export type WireMessage = string | Uint8Array;

/** A WebSocket to the router, for formats that the client package doesn't have. */
export class RawSocket implements Disposable {
  readonly #socket: WebSocket;
  readonly #messages: WireMessage[] = [];
  #wake = Promise.withResolvers<undefined>();
  #end: Failure | undefined;

  private constructor(socket: WebSocket, what: string) {
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", (event) => {
      // `binaryType` makes it so for bytes.
      const data = event.data as string | ArrayBuffer;
      this.#messages.push(typeof data === "string" ? data : new Uint8Array(data));
      this.#wake.resolve(undefined);
    });
    socket.addEventListener("close", ({ code, reason }) => {
      const why = reason === "" ? `code ${code}` : `code ${code}: ${reason}`;
      this.#end = new Failure(statuses.failed, `The router closed the link in ${what} with ${why}`);
      this.#wake.resolve(undefined);
    });
    // A "close" event follows, which says more.
    socket.addEventListener("error", () => undefined);
  }

  /** Connects as a page does, which can set no header: so Node's own WebSocket is enough. */
  static async dial(settings: ClientSettings, subprotocol: string, signal: AbortSignal): Promise<RawSocket> {
    const { url, realm, name, secret } = settings;
    const address = pageOf(url, `connect/${realm}`);
    address.protocol = url.protocol;
    const credentials = subprotocols.credentialsPrefix + Buffer.from(`${name}:${secret}`).toString("base64url");
    const socket = new WebSocket(address, [subprotocol, credentials]);
    const raw = new RawSocket(socket, subprotocol);
    const opened = new Promise<void>((resolve, reject) => {
      socket.addEventListener("open", () => {
        resolve();
      });
      socket.addEventListener("close", () => {
        reject(wrong(`The router refused a link in ${subprotocol}`));
      });
    });
    try {
      await within(opened, signal);
    } catch (error) {
      socket.close();
      throw error;
    }
    if (socket.protocol !== subprotocol) throw wrong(`The router answered ${subprotocol} with "${socket.protocol}"`);
    return raw;
  }

  send(message: WireMessage): void {
    this.#socket.send(message);
  }

  /** The next message. @throws Failure if the link ends before */
  async next(signal: AbortSignal): Promise<WireMessage> {
    for (;;) {
      const message = this.#messages.shift();
      if (message !== undefined) return message;
      if (this.#end !== undefined) throw this.#end;
      this.#wake = Promise.withResolvers();
      await within(this.#wake.promise, signal);
    }
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}
