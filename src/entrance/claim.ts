import { fromBase64url, subprotocols } from "@messagepasser/protocol";

/** What a request says about its client. Hostile until an authenticator has admitted it. */
export interface Claim {
  readonly realm: string;
  readonly name: string;
  readonly secret: string;
}

/** The subprotocols that an upgrade request offers in `Sec-WebSocket-Protocol`. */
export function offeredSubprotocols(request: Request): string[] {
  const offered = request.headers.get("sec-websocket-protocol") ?? "";
  return offered
    .split(",")
    .map((token) => token.trim())
    .filter((token) => token !== "");
}

/**
 * The claim in a request, or `undefined` if there is none or it can't be decoded: `Authorization: Basic` (RFC 7617, in
 * UTF-8) or, from a page, a subprotocol that begins with `subprotocols.credentialsPrefix`.
 */
export function claimIn(realm: string, request: Request, offered: readonly string[]): Claim | undefined {
  const basic = /^Basic +([A-Za-z0-9+/]+)=*$/i.exec(request.headers.get("authorization") ?? "")?.[1];
  return claimOf(realm, basic) ?? claimOf(realm, offered.find(isCredentials)?.slice(prefix.length));
}

const prefix = subprotocols.credentialsPrefix;

/** Whether a subprotocol carries credentials, as those of pages do. */
export function isCredentials(subprotocol: string): boolean {
  return subprotocol.startsWith(prefix);
}

function claimOf(realm: string, encoded: string | undefined): Claim | undefined {
  const bytes = encoded === undefined ? undefined : fromBase64url(encoded);
  if (bytes === undefined) return undefined;
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    const colon = text.indexOf(":");
    return colon === -1 ? undefined : { realm, name: text.slice(0, colon), secret: text.slice(colon + 1) };
  } catch {
    return undefined;
  }
}
