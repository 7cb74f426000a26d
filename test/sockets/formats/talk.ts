import { once } from "node:events";
import type WebSocket from "ws";
import { dial } from "../raw-links.ts";
import type { Realm } from "../realm.ts";

export type Message = string | Uint8Array;

/** How a Connection ended, as far as a format can tell. */
export type Ending = "closed" | "failed";

/** One end of a Connection, whatever the format of its link. */
export interface Talk {
  send(message: Message): Promise<void>;
  /** The next message, or `undefined` when the other end has sent its last. */
  receive(): Promise<Message | undefined>;
  close(): Promise<void>;
  abort(): Promise<void>;
  readonly ended: Promise<Ending>;
}

/** A client in some format. */
export interface Talker extends AsyncDisposable {
  readonly name: string;
  /** Opens, or rejects with the code of the refusal as its message. */
  open(peer: string, protocol: string): Promise<Talk>;
  /** The next Connection of a protocol that a peer opens. */
  accept(protocol: string): Promise<Talk>;
}

/** A WebSocket to the router in a format, with each message that comes, in order. */
export async function connectIn(
  realm: Realm,
  name: string,
  subprotocol: string,
  onMessage: (message: Message) => void,
): Promise<WebSocket> {
  const socket = await dial(realm, name, subprotocol);
  socket.addEventListener("message", ({ data }) => {
    onMessage(typeof data === "string" ? data : new Uint8Array(data as ArrayBuffer));
  });
  await once(socket, "open");
  return socket;
}

/** Things that come, and those that wait for them. */
export class Inbox<Item> {
  readonly #items: Item[] = [];
  readonly #waiting: ((item: Item) => void)[] = [];

  put(item: Item): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#items.push(item);
    else waiting(item);
  }

  async take(): Promise<Item> {
    if (this.#items.length > 0) return this.#items.shift() as Item;
    return await new Promise((resolve) => this.#waiting.push(resolve));
  }
}

/** An end in a format of whole messages: what is common to those that the tests speak by hand. */
export class Hand implements Talk {
  readonly #inbox = new Inbox<Message | undefined>();
  readonly #ended = Promise.withResolvers<Ending>();
  readonly #accepted = Promise.withResolvers<undefined>();
  readonly #say: (what: "data" | "close" | "abort", message?: Message) => void;
  #pieces: Message[] = [];

  constructor(say: (what: "data" | "close" | "abort", message?: Message) => void) {
    this.#say = say;
    this.#accepted.promise.catch(() => undefined);
  }

  get ended(): Promise<Ending> {
    return this.#ended.promise;
  }

  get accepted(): Promise<undefined> {
    return this.#accepted.promise;
  }

  /** Events from the router. */
  readonly hear = {
    accept: (): void => {
      this.#accepted.resolve(undefined);
    },
    refuse: (code: string): void => {
      this.#accepted.reject(new Error(code));
    },
    piece: (message: Message, isLast: boolean): void => {
      this.#pieces.push(message);
      if (!isLast) return;
      const pieces = this.#pieces;
      this.#pieces = [];
      if (typeof message === "string") this.#inbox.put(pieces.join(""));
      else this.#inbox.put(pieces.length === 1 ? message : new Uint8Array(Buffer.concat(pieces as Uint8Array[])));
    },
    end: (): void => {
      this.#inbox.put(undefined);
    },
    over: (ending: Ending): void => {
      this.#inbox.put(undefined);
      this.#ended.resolve(ending);
    },
  };

  send(message: Message): Promise<void> {
    this.#say("data", message);
    return Promise.resolve();
  }

  receive(): Promise<Message | undefined> {
    return this.#inbox.take();
  }

  close(): Promise<void> {
    this.#say("close");
    this.#ended.resolve("closed");
    return Promise.resolve();
  }

  abort(): Promise<void> {
    this.#say("abort");
    return Promise.resolve();
  }
}
