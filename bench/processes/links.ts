import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { WebSocket } from "ws";
import type { Account } from "./accounts.ts";
import { openFilesLimit } from "./linux.ts";

/** The most links there can be, up to 10,000: workerd opens two files for each. */
export const mostLinks = Math.min(10_000, Math.floor((openFilesLimit() - 1_000) / 2));
const atOnce = 50;

interface LinkOptions {
  /** Each client has one, and the router remembers it. Default: a new one. */
  readonly session?: string;
  /** How long the router may take. Default: for ever. */
  readonly withinMs?: number;
}

/**
 * Opens a client's link, on which nothing is ever sent.
 *
 * @param account null at a relay, which knows no names.
 */
export async function openLink(
  url: URL,
  account: Account | null,
  { session = newSession(), withinMs }: LinkOptions = {},
): Promise<WebSocket> {
  const connect = new URL("/connect", url);
  connect.searchParams.set("session", session);
  const basic = account && Buffer.from(`${account.name}:${account.secret}`).toString("base64");
  const socket = new WebSocket(connect.href, basic === null ? [] : ["mp.v1"], {
    headers: basic === null ? {} : { authorization: `Basic ${basic}` },
    perMessageDeflate: false,
    ...(withinMs !== undefined && { handshakeTimeout: withinMs }),
  });
  await once(socket, "open");
  return socket;
}

export function newSession(): string {
  return randomBytes(16).toString("hex");
}

/** Links on which nothing happens. */
export class IdleLinks implements Disposable {
  readonly #sockets: WebSocket[] = [];

  async open(url: URL, accounts: readonly (Account | null)[]): Promise<void> {
    const rest = accounts.values();
    const openRest = async (): Promise<void> => {
      for (const account of rest) {
        const socket = await openLink(url, account);
        // A link that fails counts as closed.
        socket.on("error", () => undefined);
        this.#sockets.push(socket);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, openRest));
  }

  /** @throws Error when a link is closed. */
  check(): void {
    const open = this.#sockets.filter(({ readyState }) => readyState === WebSocket.OPEN).length;
    if (open < this.#sockets.length) throw new Error(`Of ${this.#sockets.length} idle links ${open} are left`);
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) socket.terminate();
  }
}
