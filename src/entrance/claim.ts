import { fromBase64url, routerLimits, subprotocols } from "@messagepasser/protocol";
import { holderNamedIn } from "../credentials/token.ts";

/** What a request says about its client. Hostile until an authenticator has admitted it. */
export interface Claim {
  readonly realm: string;
  readonly name: string;
  /** A secret, an invitation or a token. */
  readonly secret: string;
  /** The address that the client has asked for, without its scheme, as in "router.example.com/connect/home". */
  readonly address: string;
}

/** The subprotocols that an upgrade request offers in `Sec-WebSocket-Protocol`. */
export function offeredSubprotocols(request: Request): string[] {
  const offered = request.headers.get("sec-websocket-protocol") ?? "";
  return offered
    .split(",")
    .map((token) => token.trim())
    .filter((token) => token !== "");
}

/** The ticket among offered subprotocols; `undefined` if there is none. */
export function ticketIn(offered: readonly string[]): string | undefined {
  return offered.find((subprotocol) => subprotocol.startsWith(subprotocols.ticketPrefix));
}

/**
 * The claim in `Authorization: Basic` (RFC 7617, in UTF-8), or in `Authorization: Bearer` with a token that names its key;
 * `undefined` if there is none or it can't be decoded.
 */
export function claimIn(realm: string, request: Request): Claim | undefined {
  const header = request.headers.get("authorization") ?? "";
  if (header.length > routerLimits.maxAuthorizationLength) return undefined;
  const address = `${new URL(request.url).host}/connect/${realm}`;
  const token = /^Bearer +(\S+)$/i.exec(header)?.[1];
  if (token !== undefined) {
    const name = holderNamedIn(token);
    return name === undefined ? undefined : { realm, name, secret: token, address };
  }
  const encoded = /^Basic +([A-Za-z0-9+/]+)=*$/i.exec(header)?.[1];
  const bytes = encoded === undefined ? undefined : fromBase64url(encoded);
  if (bytes === undefined) return undefined;
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    const colon = text.indexOf(":");
    return colon === -1 ? undefined : { realm, name: text.slice(0, colon), secret: text.slice(colon + 1), address };
  } catch {
    return undefined;
  }
}
