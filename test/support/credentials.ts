import { subprotocols } from "@messagepasser/protocol";

export function newSession(): string {
  return crypto.randomUUID().replaceAll("-", "");
}

/** The `Authorization` header of a client. */
export function basic(name: string, secret: string): string {
  return `Basic ${base64(`${name}:${secret}`)}`;
}

/** The subprotocol by which a page says who it is. */
export function authSubprotocol(name: string, secret: string): string {
  const unpadded = base64(`${name}:${secret}`).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return subprotocols.credentialsPrefix + unpadded;
}

function base64(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}
