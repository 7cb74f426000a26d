import { defaultRealm, nameProblem, realmProblem } from "@messagepasser/protocol";
import { Client } from "./client.ts";
import type { Connection } from "./connection/connection.ts";
import type { Platform } from "./link/platform.ts";
import { Session } from "./session.ts";

/** Who connects, and how. */
export interface ConnectOptions {
  /** The name by which others will reach this client. */
  readonly name: string;
  /** The secret that the router's owner got for this name. */
  readonly secret: string;
  /** Clients of different realms can't see each other. Default: "default". */
  readonly realm?: string;
  /** Gives up connecting; has no effect later. */
  readonly signal?: AbortSignal;
  /** How long connecting may take. Default: 10,000. */
  readonly timeoutMs?: number;
  /** The largest message, in bytes, that `receive` takes on any Connection. Default: 16,777,216. */
  readonly maxMessageBytes?: number;
  /** Gets what a handler throws. Default: writes it to the console. */
  readonly onHandlerError?: (error: unknown, connection: Connection) => void;
}

const defaultTimeoutMs = 10_000;
const defaultMaxMessageBytes = 16_777_216;

/** `connect` for a platform; see node.ts and browser.ts. */
export async function connectOn(platform: Platform, url: string | URL, options: ConnectOptions): Promise<Client> {
  const { name, secret, realm = defaultRealm, signal, timeoutMs = defaultTimeoutMs } = options;
  signal?.throwIfAborted();
  const nameRule = nameProblem(name);
  if (nameRule !== undefined)
    throw new TypeError(`Cannot connect as ${JSON.stringify(name)}: a client's name ${nameRule}`);
  const realmRule = realmProblem(realm);
  if (realmRule !== undefined)
    throw new TypeError(`Cannot connect to realm ${JSON.stringify(realm)}: a realm's name ${realmRule}`);

  const address = addressOf(url, realm);
  const session = new Session(platform, {
    url: address,
    credentials: { name, secret },
    who: `${address.origin} as "${name}" in realm "${realm}"`,
    maxMessageBytes: options.maxMessageBytes ?? defaultMaxMessageBytes,
  });
  const client = new Client(session, {
    name,
    realm,
    onHandlerError: options.onHandlerError ?? reportHandlerError,
  });
  const timer = setTimeout(() => {
    session.drop(`no answer within ${timeoutMs} ms`);
  }, timeoutMs);
  const onAbort = (): void => {
    session.drop("aborted");
  };
  signal?.addEventListener("abort", onAbort);
  try {
    await session.welcomed;
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
  return client;
}

/** The router's address for a realm, with a new session. Takes http and https for ws and wss. */
function addressOf(url: string | URL, realm: string): URL {
  const address = new URL(url);
  address.protocol = address.protocol.replace(/^http/, "ws");
  if (address.protocol !== "ws:" && address.protocol !== "wss:") {
    throw new TypeError(`Cannot connect to ${address.href}: the router's URL must begin with wss:// or ws://`);
  }
  address.pathname = `${address.pathname.replace(/\/$/, "")}/connect/${realm}`;
  address.search = "";
  address.searchParams.set("session", randomSession());
  return address;
}

function randomSession(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function reportHandlerError(error: unknown, { peer, protocol }: Connection): void {
  console.error(`The handler of "${protocol}" failed for "${peer}":`, error);
}
