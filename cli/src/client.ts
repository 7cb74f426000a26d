import { type Client, connect, ConnectionError, LinkError, type Status } from "messagepasser";
import { note, reportError } from "./output.ts";
import type { ClientSettings } from "./settings.ts";

/** Connects as the settings say. Tells of a link that is lost, and of its return. */
export function connectClient({ url, ...settings }: ClientSettings, signal?: AbortSignal): Promise<Client> {
  return connect(url, { ...settings, onStatus: tell, onHandlerError: reportError, ...(signal && { signal }) });
}

function tell(status: Status): void {
  switch (status.kind) {
    case "offline":
      note(`${status.error.message}; trying again in ${(status.retryInMs / 1_000).toFixed(1)} s`);
      break;
    case "online":
      note("The link to the router is back");
      break;
    case "resumed":
      note(`Connections with "${status.peer}" go on`);
  }
}

/** Rejects once the client is no longer connected, with the reason. */
export async function lost(client: Client): Promise<never> {
  const error = await client.closed;
  throw error ?? new LinkError("closed", "The client is closed");
}

/** The error of the link, where a Connection failed only because the link did. */
export async function rootOf(error: unknown, client: Client): Promise<unknown> {
  const isOfLink = error instanceof ConnectionError && (error.code === "link-lost" || error.code === "closed");
  if (!isOfLink) return error;
  // Settled already if the link is gone: no wait.
  return (await Promise.race([client.closed, Promise.resolve(undefined)])) ?? error;
}

/** Says that a listener is ready, which scripts can wait for. */
export function noteListening(client: Client, protocol: string): void {
  note(`Listening for "${protocol}" as "${client.name}" in realm "${client.realm}"`);
}
