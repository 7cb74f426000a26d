import {
  clientLimits,
  defaultRealm,
  instanceProblem,
  nameProblem,
  realmProblem,
  type SegmentFormat,
  toHex,
} from "@messagepasser/protocol";
import { Client } from "./client.ts";
import type { Connection } from "./connection/connection.ts";
import type { Format } from "./format.ts";
import type { Platform } from "./link/platform.ts";
import { checkOptions } from "./options.ts";
import { Session } from "./session/session.ts";
import type { Status } from "./status.ts";
import { within } from "./waiting.ts";

/** Options of {@link connect}. */
export interface ConnectOptions {
  /** The name by which peers reach this client: 1 to 128 bytes of UTF-8, without `:` and without a leading `$`. */
  readonly name: string;
  /**
   * The secret that the router made for this name, an invitation, or a token that an application signed. A function is called
   * before each link, so that each link may have a new secret; the function has 10 s to answer. If the router refuses its
   * secret, the function is called once more.
   */
  readonly secret: string | (() => string | Promise<string>);
  /**
   * A name for this session, 1 to 64 bytes of UTF-8 without `:`, so that peers can open to this session in particular. A
   * client's name has at most one session of an instance: a new one takes its place, and the former one ends with the code
   * `superseded`.
   *
   * @defaultValue none: a name may have many sessions at once, and connecting ends none of them
   */
  readonly instance?: string;
  /**
   * The realm to join, at most 63 characters. Clients of different realms can't reach each other.
   *
   * @defaultValue `"default"`
   */
  readonly realm?: string;
  /**
   * The wire format of this client's link: `msgpack` from `messagepasser/msgpack` or `protobuf` from
   * `messagepasser/protobuf`. Peers can use different formats.
   *
   * @defaultValue the native format, which is the fastest
   */
  readonly format?: Format;
  /** Ends the attempt to connect. The signal has no effect later. */
  readonly signal?: AbortSignal;
  /**
   * The longest time that connecting may take, in milliseconds.
   *
   * @defaultValue `10_000`; `Infinity` with `retry`
   */
  readonly timeoutMs?: number;
  /**
   * Whether to try again until the router is there, where trying again may help. `onStatus` is told about each attempt
   * that fails, and `signal` ends the wait.
   *
   * @defaultValue `false`: `connect` rejects at the first failure
   */
  readonly retry?: boolean;
  /**
   * The largest message that `receive` accepts on any Connection, in bytes. A larger one ends its Connection with the code
   * `message-too-large`.
   *
   * @defaultValue `16_777_216`
   */
  readonly maxMessageBytes?: number;
  /**
   * How long a Connection waits for a lost link, here or at the peer, before it fails, in milliseconds. Of the two ends'
   * values the shorter one counts.
   *
   * @defaultValue `120_000`
   */
  readonly graceMs?: number;
  /**
   * Called when the link is there, when it is lost, when it is back, and when the client has ended. Meant for showing it to
   * people: the client reconnects by itself.
   */
  readonly onStatus?: (status: Status) => void;
  /**
   * Called with what a handler throws.
   *
   * @defaultValue writes the error to the console
   */
  readonly onHandlerError?: (error: unknown, connection: Connection) => void;
}

/** @internal `connect` for a platform; see node.ts and browser.ts. */
export async function connectOn(platform: Platform, url: string | URL, options: ConnectOptions): Promise<Client> {
  // Callers without types may leave out anything.
  const given: Partial<ConnectOptions> = options ?? {};
  const { name = "", secret: source, realm = defaultRealm, instance, signal, onStatus, onHandlerError } = given;
  const {
    retry = false,
    timeoutMs = retry ? Infinity : clientLimits.answerWithinMs,
    graceMs = clientLimits.defaultGraceMs,
    maxMessageBytes = clientLimits.defaultMaxMessageBytes,
  } = given;
  checkOptions("connect", "signal", { signal });
  signal?.throwIfAborted();
  checkOptions("connect", "string", { name, realm, instance });
  checkOptions("connect", "boolean", { retry });
  checkOptions("connect", "number", { timeoutMs, graceMs, maxMessageBytes });
  checkOptions("connect", "function", { onStatus, onHandlerError });
  checkOptions("connect", "format", { format: given.format });
  const nameRule = nameProblem(name);
  if (nameRule !== undefined)
    throw new TypeError(`Cannot connect as ${JSON.stringify(name)}: a client's name ${nameRule}`);
  // Files and terminals put line feeds behind a secret, and no secret has white space.
  const secret = typeof source === "string" ? source.trim() : source;
  if (!secret || !["string", "function"].includes(typeof secret))
    throw new TypeError(`Cannot connect as "${name}": the secret is missing`);
  const realmRule = realmProblem(realm);
  if (realmRule !== undefined)
    throw new TypeError(`Cannot connect to realm ${JSON.stringify(realm)}: a realm's name ${realmRule}`);

  const instanceRule = instance === undefined ? undefined : instanceProblem(instance);
  if (instanceRule !== undefined)
    throw new TypeError(`Cannot connect as instance ${JSON.stringify(instance)}: an instance ${instanceRule}`);

  const id = toHex(crypto.getRandomValues(new Uint8Array(16)));
  const address = addressOf(url, realm, { session: id, ...(instance !== undefined && { instance }) });
  const session = new Session(platform, {
    url: address,
    // Only entries of this package make formats.
    format: given.format as SegmentFormat | undefined,
    login: { name, secret },
    who: `${address.origin} as "${name}" in realm "${realm}"`,
    maxMessageBytes,
    graceMs,
    retries: retry,
    onStatus: onStatus ?? (() => undefined),
  });
  const client = new Client(session, {
    name,
    realm,
    session: id,
    instance: instance ?? "",
    onHandlerError: onHandlerError ?? reportHandlerError,
  });
  await within(session.welcomed, { timeoutMs, signal }, (what) => {
    session.drop(what === "aborted" ? "aborted" : `no answer within ${timeoutMs} ms`);
  });
  return client;
}

/** The router's address for a realm, with the query of its URL and what the client adds. Takes http and https for ws and wss. */
function addressOf(url: string | URL, realm: string, query: Readonly<Record<string, string>>): URL {
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
  // The query stays as it was written, since a gate on the way may have signed it. `searchParams` would encode it anew.
  const parts = address.search.slice(1).split("&");
  const others = parts.filter((part) => !/^(?:session|instance)(?:=|$)/.test(part)).join("&");
  const own = Object.entries(query).map(([key, value]) => `${key}=${encodeURIComponent(value)}`);
  address.search = [...(others === "" ? [] : [others]), ...own].join("&");
  return address;
}

function reportHandlerError(error: unknown, { peer, protocol }: Connection): void {
  console.error(`The handler of "${protocol}" failed for "${peer}":`, error);
}
