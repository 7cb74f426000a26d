import { fromBase64url, subprotocols } from "@messagepasser/protocol";

/** A name and a secret as a request carries them. */
export interface Presented {
  readonly name: string;
  readonly secret: string;
}

/** What an upgrade request offers in `Sec-WebSocket-Protocol`. */
export function offeredSubprotocols(request: Request): string[] {
  const offered = request.headers.get("sec-websocket-protocol") ?? "";
  return offered
    .split(",")
    .map((token) => token.trim())
    .filter((token) => token !== "");
}

/** Name and secret from `Authorization: Basic` (RFC 7617, UTF-8), or `undefined`. */
export function fromAuthorization(request: Request): Presented | undefined {
  const match = /^Basic +([A-Za-z0-9+/]+=*)$/i.exec(request.headers.get("authorization") ?? "");
  return match?.[1] === undefined ? undefined : decode(match[1]);
}

/** Name and secret from a browser's subprotocol; see `subprotocols.credentialsPrefix`. */
export function fromSubprotocol(offered: readonly string[]): Presented | undefined {
  const token = offered.find((value) => value.startsWith(subprotocols.credentialsPrefix));
  if (token === undefined) return undefined;
  return decode(token.slice(subprotocols.credentialsPrefix.length));
}

function decode(base64: string): Presented | undefined {
  const bytes = fromBase64url(base64);
  if (bytes === undefined) return undefined;
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    const colon = text.indexOf(":");
    return colon === -1 ? undefined : { name: text.slice(0, colon), secret: text.slice(colon + 1) };
  } catch {
    return undefined;
  }
}
