import { subprotocols, toBase64url } from "@messagepasser/protocol";
import { toBase64 } from "../../protocol/src/base64.ts";

export function newSession(): string {
  return crypto.randomUUID().replaceAll("-", "");
}

/** The `Authorization` header of a client. */
export function basic(name: string, secret: string): string {
  return `Basic ${toBase64(bytesOf(name, secret))}`;
}

/** The subprotocol by which a page says who it is. */
export function authSubprotocol(name: string, secret: string): string {
  return subprotocols.credentialsPrefix + toBase64url(bytesOf(name, secret));
}

function bytesOf(name: string, secret: string): Uint8Array {
  return new TextEncoder().encode(`${name}:${secret}`);
}
