import { defaultRealm, nameProblem, realmProblem, type SegmentFormat } from "@messagepasser/protocol";
import { Client } from "./client.ts";
import type { Connection } from "./connection/connection.ts";
import type { Format } from "./format.ts";
import type { Platform } from "./link/platform.ts";
import { Session } from "./session/session.ts";
import type { Status } from "./status.ts";
import { within } from "./waiting.ts";

/** Who connects, and how. */
export interface ConnectOptions {
  /** The name by which others will reach this client. */
  readonly name: string;
  /** The secret that the router's owner got for this name. */
  readonly secret: string;
  /** Clients of different realms can't see each other. Default: "default". */
  readonly realm?: string;
  /**
   * How frames are written, as imported from "messagepasser/msgpack" or "messagepasser/protobuf". Default: the native
   * format, which is the fastest. Peers need not have the same.
   */
  readonly format?: Format;
  /** Gives up connecting; has no effect later. */
  readonly signal?: AbortSignal;
  /** How long connecting may take. Default: 10,000. */
  readonly timeoutMs?: number;
  /** The largest message, in bytes, that `receive` takes on any Connection. Default: 16,777,216. */
  readonly maxMessageBytes?: number;
  /** How long Connections wait while this end or the other one has no link, before they fail. Default: 120,000. */
  readonly graceMs?: number;
  /** Hears when the link is lost and when it is back; for people to see, since the client acts by itself. */
  readonly onStatus?: (status: Status) => void;
  /** Gets what a handler throws. Default: writes it to the console. */
  readonly onHandlerError?: (error: unknown, connection: Connection) => void;
}

const defaultTimeoutMs = 10_000;
const defaultMaxMessageBytes = 16_777_216;
const defaultGraceMs = 120_000;

/** @internal `connect` for a platform; see node.ts and browser.ts. */
export async function connectOn(platform: Platform, url: string | URL, options: ConnectOptions): Promise<Client> {
  const { name, secret, realm = defaultRealm, signal, timeoutMs = defaultTimeoutMs } = options;
  signal?.throwIfAborted();
  const nameRule = nameProblem(name);
  if (nameRule !== undefined)
    throw new TypeError(`Cannot connect as ${JSON.stringify(name)}: a client's name ${nameRule}`);
  // Also for callers without types, for whom a variable that is not set would become the text "undefined".
  if (typeof secret !== "string" || secret === "")
    throw new TypeError(`Cannot connect as "${name}": the secret is missing`);
  const realmRule = realmProblem(realm);
  if (realmRule !== undefined)
    throw new TypeError(`Cannot connect to realm ${JSON.stringify(realm)}: a realm's name ${realmRule}`);

  const address = addressOf(url, realm);
  const session = new Session(platform, {
    url: address,
    // Only entries of this package make formats.
    format: options.format as SegmentFormat | undefined,
    credentials: { name, secret },
    who: `${address.origin} as "${name}" in realm "${realm}"`,
    maxMessageBytes: options.maxMessageBytes ?? defaultMaxMessageBytes,
    graceMs: options.graceMs ?? defaultGraceMs,
    onStatus: options.onStatus ?? (() => undefined),
  });
  const client = new Client(session, {
    name,
    realm,
    onHandlerError: options.onHandlerError ?? reportHandlerError,
  });
  await within(session.welcomed, { timeoutMs, signal }, (what) => {
    session.drop(what === "aborted" ? "aborted" : `no answer within ${timeoutMs} ms`);
  });
  return client;
}

/** The router's address for a realm, with a new session. Takes http and https for ws and wss. */
function addressOf(url: string | URL, realm: string): URL {
  if (!URL.canParse(String(url)))
    throw new TypeError(`Cannot connect to ${JSON.stringify(String(url))}: this is no URL`);
  const address = new URL(url);
  if (address.username !== "" || address.password !== "") {
    throw new TypeError(
      "Cannot connect: credentials don't belong into a URL, which ends up in logs: pass name and secret",
    );
  }
  address.protocol = address.protocol.replace(/^http/, "ws");
  if (address.protocol !== "ws:" && address.protocol !== "wss:") {
    throw new TypeError(
      `Cannot connect to ${address.protocol}//${address.host}: the router's URL must begin with wss:// or ws://`,
    );
  }
  address.hash = "";
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
