// An entry of its own, so that programs without invitations don't ship it.
import {
  fromBase64url,
  guestName,
  type Invitation,
  invitationBytes,
  invitationMacBytes,
  invitationProblem,
  invitationText,
  readInvitationText,
  routerLimits,
  toHex,
} from "@messagepasser/protocol";
import { checkOptions } from "./options.ts";

/** Options of {@link invite}. */
export interface InviteOptions {
  /** The name of the client that invites. */
  readonly name: string;
  /** The secret of the client that invites. It is sent nowhere, and the invitation doesn't reveal it. */
  readonly secret: string;
  /** The last part of the guest's name, without `/`. The whole name, `NAME/GUEST`, has at most 128 bytes of UTF-8. */
  readonly guest: string;
  /**
   * The peers that the guest may open Connections to: a name, or a pattern in which `*` stands for any characters. At most
   * 128 bytes of UTF-8.
   *
   * @defaultValue none; `protocol` must be missing too then
   */
  readonly peer?: string;
  /**
   * The protocols that the guest may open: a protocol's name or a pattern. At most 128 bytes of UTF-8.
   *
   * @defaultValue none; `peer` must be missing too then
   */
  readonly protocol?: string;
  /**
   * The protocols that the guest serves, so that others may open them to it: names or patterns, of at most 512 bytes of JSON
   * together.
   *
   * @defaultValue none
   */
  readonly serves?: readonly string[];
  /** The time at which the invitation expires and the guest's link is closed. At most 366 days from now. */
  readonly expiresAt: Date;
  /**
   * How many sessions may use the invitation, from 1 to 1,000. A session may reconnect any number of times.
   *
   * @defaultValue `1`
   */
  readonly uses?: number;
}

/** An invitation to hand to a guest. */
export interface Invited {
  /** The secret with which the guest connects. */
  readonly invitation: string;
  /** The name with which the guest connects. */
  readonly name: string;
}

const nonceBytes = 8;
const secretPattern = /^mp_[\w-]{108}$/;
/** Where in a secret its id, its revision and the key for invitations stand: see ADMIN.md. */
const [idAt, revisionAt, inviteKeyAt, macAt] = [1, 9, 45, 61];

/**
 * Makes an invitation: a secret for a guest, valid for opening certain protocols to certain peers, for serving certain
 * protocols, or for both. The invitation also ends when the secret of the client that invites ends. Needs no router.
 *
 * @throws TypeError if the secret doesn't have the form of a router's, or an option breaks its rule.
 */
export async function invite(options: InviteOptions): Promise<Invited> {
  // Callers without types may leave out anything.
  const { name, secret: text, guest, expiresAt, uses = 1, serves = [] }: InviteOptions = options ?? {};
  const { peer = "", protocol = "" } = options ?? {};
  if (!Array.isArray(serves)) throw new TypeError("Cannot invite: serves must be an array of strings");
  const opened = serves.length > 0 ? { peer, protocol } : { peer: options?.peer, protocol: options?.protocol };
  const served = Object.fromEntries(serves.map((each, at) => [`serves[${at}]`, each as unknown]));
  const required = Object.entries({ name, guest, ...opened, ...served }).map(([key, value]) => [key, value ?? null]);
  checkOptions("invite", "string", Object.fromEntries(required) as Record<string, unknown>);
  checkOptions("invite", "number", { uses });
  // A Date of another realm is one too.
  if (typeof Object(expiresAt).getTime !== "function") throw new TypeError("Cannot invite: expiresAt must be a Date");
  const host = name;
  // Files and terminals put line feeds behind a secret, as in `connect`.
  const secret = typeof text === "string" ? text.trim() : "";
  const bytes = secretPattern.test(secret) ? fromBase64url(secret.slice("mp_".length)) : undefined;
  if (bytes === undefined) throw new TypeError(`Cannot invite as "${host}": the secret is not one of a router's`);
  const invitation: Invitation = {
    host,
    secretId: toHex(bytes.subarray(idAt, revisionAt)),
    revision: new DataView(bytes.buffer).getUint32(revisionAt),
    guest,
    peer,
    protocol,
    expiresAtMs: expiresAt.getTime(),
    uses,
    serves,
    nonce: toHex(crypto.getRandomValues(new Uint8Array(nonceBytes))),
  };
  const isTooLong = expiresAt.getTime() - Date.now() > routerLimits.maxInvitationLifeMs;
  const problem = invitationProblem(invitation) ?? (isTooLong ? "must expire within 366 days" : undefined);
  if (problem !== undefined) throw new TypeError(`Cannot invite "${guest}": an invitation ${problem}`);
  const signedBytes = new Uint8Array(invitationBytes(invitation));
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", bytes.slice(inviteKeyAt, macAt), algorithm, false, ["sign"]);
  const mac = new Uint8Array(await crypto.subtle.sign("HMAC", key, signedBytes)).subarray(0, invitationMacBytes);
  return { invitation: invitationText(signedBytes, mac), name: guestName(invitation) };
}

/** What an invitation says. `peer` and `protocol` are empty for a guest that may open nothing. */
export interface InvitationTerms extends Required<Omit<InviteOptions, "secret">> {
  /** The name of the client that invites. */
  readonly host: string;
  /** The whole name of the guest. */
  readonly name: string;
}

/**
 * Reads what an invitation says, or returns `undefined` for a text that is no invitation. Doesn't tell whether the
 * invitation is valid: only the router knows.
 */
export function readInvitation(text: string): InvitationTerms | undefined {
  const invitation = readInvitationText(text)?.invitation;
  if (invitation === undefined) return undefined;
  const { expiresAtMs, host, guest, peer, protocol, uses, serves } = invitation;
  return { host, name: guestName(invitation), guest, peer, protocol, uses, serves, expiresAt: new Date(expiresAtMs) };
}
