import { Buffer } from "node:buffer";
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { routerLimits, subprotocols } from "@messagepasser/protocol";
import type { Admission } from "../realm/admission.ts";

// A page can send no header with an upgrade, and what it sends instead ends up in logs. So a page shows its secret to
// `POST /ticket`, and its upgrade has a ticket. A ticket lets in one link within seconds:
//
//     mp.ticket. + base64url( mac 16 bytes | JSON of a SignedTicket )

interface SignedTicket {
  readonly id: string;
  readonly expiresAtMs: number;
  readonly admission: Admission;
}

const prefix = subprotocols.ticketPrefix;
const macBytes = 16;

/** Makes a ticket for a client that was admitted to a realm. */
export function makeTicket(pepper: string, realm: string, admission: Admission): string {
  const ticket: SignedTicket = {
    id: randomBytes(16).toString("base64url"),
    expiresAtMs: Date.now() + routerLimits.ticketLifeMs,
    admission,
  };
  const signed = Buffer.from(JSON.stringify(ticket));
  return prefix + Buffer.concat([mac(pepper, realm, signed), signed]).toString("base64url");
}

/**
 * The client behind a ticket. `undefined` unless this router made the ticket for this realm and it has not expired. The
 * realm's object knows whether it was used.
 */
export function verifyTicket(pepper: string, realm: string, text: string): Admission | undefined {
  if (text.length > routerLimits.maxTicketLength) return undefined;
  const bytes = Buffer.from(text.slice(prefix.length), "base64url");
  const [given, signed] = [bytes.subarray(0, macBytes), bytes.subarray(macBytes)];
  if (given.length < macBytes || !timingSafeEqual(given, mac(pepper, realm, signed))) return undefined;
  // Only this router signs.
  const { id, expiresAtMs, admission } = JSON.parse(signed.toString()) as SignedTicket;
  return Date.now() < expiresAtMs ? { ...admission, ticket: { id, expiresAtMs } } : undefined;
}

function mac(pepper: string, realm: string, signed: Uint8Array): Buffer {
  return createHmac("sha256", pepper).update(`mp ticket v1\n${realm}\n`).update(signed).digest().subarray(0, macBytes);
}
