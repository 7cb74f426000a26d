import { subprotocols, toBase64 } from "@messagepasser/protocol";

export function newSession(): string {
  return crypto.randomUUID().replaceAll("-", "");
}

/** The `Authorization` header of a client. */
export function basic(name: string, secret: string): string {
  return `Basic ${toBase64(new TextEncoder().encode(`${name}:${secret}`))}`;
}

/** A string that begins like a ticket, and isn't one. */
export const guessedTicket = subprotocols.ticketPrefix + "A".repeat(400);
