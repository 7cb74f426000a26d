import { isHolderName } from "@messagepasser/protocol";
import { type Client, connect, type Connection, ConnectionError, LinkError, type Status } from "messagepasser";
import { note, reportError } from "./output.ts";
import type { ClientSettings } from "./settings.ts";
import { Failure, statuses } from "./status.ts";

/** How to connect. */
interface Patience {
  readonly signal?: AbortSignal;
  /** Whether to wait for a router that isn't there yet, or that something on the way answers for. */
  readonly isPatient?: boolean;
}

/** Connects with these settings. Notes when the link is lost and when it is back. */
export function connectClient(
  { url, ...settings }: ClientSettings,
  { signal, isPatient = false }: Patience = {},
): Promise<Client> {
  return connect(url, {
    ...settings,
    retry: isPatient,
    onStatus: statusNotes(),
    onHandlerError: reportError,
    ...(signal && { signal }),
  }).catch((error: unknown) => {
    throw explained(error, settings.name);
  });
}

/**
 * Notes when a link is lost and when it is back.
 *
 * @param whose whose link it is, with a space before. Default: that of the command.
 */
export function statusNotes(whose = ""): (status: Status) => void {
  let isOffline = false;
  return (status) => {
    if (status.kind === "offline")
      note(`${status.error.message}; reconnecting in ${(status.retryInMs / 1_000).toFixed(1)} s`);
    else if (status.kind === "resumed") note(`Connections${whose} with "${status.peer}" continue`);
    else if (isOffline && status.kind === "online") note(`The link${whose} to the router is back`);
    isOffline = status.kind === "offline";
  };
}

/** Notes when the peer of a Connection is away. That it is back is noted of all Connections with it at once. */
export function noteAway(connection: Connection): void {
  connection.onStatus = (status) => {
    if (status.kind !== "away") return;
    const until = status.until === undefined ? "" : ` until ${status.until.toTimeString().slice(0, 8)}`;
    note(`"${connection.peer}" is away; waiting${until}`);
  };
}

/** An error of the first attempt, with what to do if the router refused the name or the secret. */
export function explained(error: unknown, name: string): unknown {
  if (!(error instanceof LinkError) || error.code !== "unauthorized") return error;
  const [host, guest] = name.split("/");
  const remedy = isHolderName(name)
    ? "get a new token"
    : guest === undefined
      ? `ask the router's owner to run "mp client rotate ${name}" (or "add"), and run "mp login" with the new secret`
      : `ask "${host}" for a new invitation`;
  const sentence = `${error.message}. Check the name and the realm, or ${remedy}`;
  return new Failure(statuses.notLetIn, sentence, { cause: error });
}

/** Rejects once the client has ended, with the reason. */
export async function lost(client: Client): Promise<never> {
  const error = await client.closed;
  throw error ?? new LinkError("closed", "The client is closed");
}

/** The error of the link, if a Connection failed only because the link did. */
export async function rootOf(error: unknown, client: Client): Promise<unknown> {
  const isOfLink = error instanceof ConnectionError && (error.code === "link-lost" || error.code === "closed");
  if (!isOfLink) return error;
  // Already settled if the client has ended, so this doesn't wait.
  return (await Promise.race([client.closed, Promise.resolve(undefined)])) ?? error;
}

/** Notes that a listener is ready. Scripts can wait for this line. */
export function noteListening(client: Client, protocol: string): void {
  note(`Listening for "${protocol}" as "${client.name}" in realm "${client.realm}"`);
}
