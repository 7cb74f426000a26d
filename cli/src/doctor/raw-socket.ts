import { Buffer } from "node:buffer";
import { networkReason } from "@messagepasser/protocol";
import WebSocket from "ws";
import { routerTarget } from "../proxy/environment.ts";
import type { ClientSettings } from "../settings.ts";
import { Failure, statuses } from "../status.ts";
import { wrong } from "./examination.ts";
import { within } from "./exchange.ts";

export type WireMessage = string | Uint8Array;

/** A WebSocket to the router, for formats that the client package doesn't have. */
export class RawSocket implements Disposable {
  readonly #socket: WebSocket;
  readonly #messages: WireMessage[] = [];
  #wake = Promise.withResolvers<undefined>();
  #end: Failure | undefined;
  #error: Error | undefined;

  private constructor(socket: WebSocket, what: string) {
    this.#socket = socket;
    socket.on("message", (data: Buffer, isBinary) => {
      this.#messages.push(isBinary ? new Uint8Array(data) : data.toString());
      this.#wake.resolve(undefined);
    });
    socket.on("close", (code, reason) => {
      const why = reason.length === 0 ? `code ${code}` : `code ${code}: ${reason.toString()}`;
      this.#end = new Failure(statuses.failed, `The router closed the link in ${what} with ${why}`);
      this.#wake.resolve(undefined);
    });
    socket.on("error", (error) => (this.#error = error));
  }

  static async dial(settings: ClientSettings, subprotocol: string, signal: AbortSignal): Promise<RawSocket> {
    const { url, realm, name, secret, agent, headers } = settings;
    const address = new URL(url);
    address.pathname = `${url.pathname.replace(/\/$/, "")}/connect/${realm}`;
    const socket = new WebSocket(address, subprotocol, {
      headers: { ...headers, authorization: `Basic ${Buffer.from(`${name}:${secret}`).toString("base64")}` },
      perMessageDeflate: false,
      agent,
    });
    const raw = new RawSocket(socket, subprotocol);
    const opened = new Promise<void>((resolve, reject) => {
      socket.on("open", resolve);
      socket.on("close", () => {
        const why = raw.#error === undefined ? "" : `: ${networkReason(raw.#error, routerTarget(url))}`;
        reject(wrong(`The router refused a link in ${subprotocol}${why}`));
      });
    });
    try {
      await within(opened, signal);
    } catch (error) {
      socket.terminate();
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
