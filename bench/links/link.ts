import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { WebSocket } from "ws";
import type { Account } from "../clients/calls.ts";

/**
 * Opens a client's link and nothing more: whoever holds it never says anything.
 *
 * @param account null for a WebSocket of nobody's, at a relay.
 */
export async function openLink(url: string | URL, account: Account | null): Promise<WebSocket> {
  const connect = new URL("/connect", url);
  // As a client's, which the router remembers.
  connect.searchParams.set("session", randomBytes(16).toString("hex"));
  const basic = account && Buffer.from(`${account.name}:${account.secret}`).toString("base64");
  const socket = new WebSocket(connect.href, basic === null ? [] : ["mp.v1"], {
    headers: basic === null ? {} : { authorization: `Basic ${basic}` },
    perMessageDeflate: false,
  });
  try {
    await once(socket, "open");
  } catch (error) {
    throw new Error(`Cannot open the link of ${account?.name ?? "nobody"}`, { cause: error });
  }
  return socket;
}
