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
   */
  readonly peer: string;
  /** The protocols that the guest may open: a protocol's name or a pattern. At most 128 bytes of UTF-8. */
  readonly protocol: string;
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
 * Makes an invitation: a secret for a guest, valid for opening certain protocols to certain peers. The invitation also
 * ends when the secret of the client that invites ends. Needs no router.
 *
 * @throws TypeError if the secret doesn't have the form of a router's, or an option breaks its rule.
 */
export async function invite(options: InviteOptions): Promise<Invited> {
  // Callers without types may leave out anything.
  const { name, secret: text, guest, peer, protocol, expiresAt, uses = 1 }: InviteOptions = options ?? {};
  const required = Object.entries({ name, guest, peer, protocol }).map(([key, value]) => [key, value ?? null] as const);
  checkOptions("invite", "string", Object.fromEntries(required));
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

/** What an invitation says. */
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
  const { host, guest, peer, protocol, uses, expiresAtMs } = invitation;
  return { host, name: guestName(invitation), guest, peer, protocol, uses, expiresAt: new Date(expiresAtMs) };
}
