// An entry of its own, so that who invites nobody doesn't ship it.
import {
  guestName,
  type Invitation,
  invitationBytes,
  invitationMacBytes,
  invitationProblem,
  invitationText,
  readInvitationText,
} from "@messagepasser/protocol";

/** Whom a client invites, and for what. */
export interface InviteOptions {
  /** The client's own name. */
  readonly name: string;
  /** The client's own secret. It is not sent anywhere, and the invitation doesn't tell it. */
  readonly secret: string;
  /** What the guest is called: its whole name is the client's, "/" and this. */
  readonly guest: string;
  /** Whom the guest may open something to: a name, or a pattern in which `*` stands for anything. */
  readonly peer: string;
  /** What the guest may open: a protocol or a pattern. */
  readonly protocol: string;
  /** When the invitation ends, and the guest's link with it. */
  readonly expiresAt: Date;
  /** How many sessions may come in by it, each as often as it likes. Default: 1. */
  readonly uses?: number;
}

/** An invitation to hand on, and whom it makes of its holder. */
export interface Invited {
  /** What the guest connects with as its secret. */
  readonly invitation: string;
  /** What the guest connects with as its name. */
  readonly name: string;
}

const nonceBytes = 8;
const secretPattern = /^mp_[\w-]{108}$/;
/** Where in a secret its id, its revision and the key for invitations stand: see ADMIN.md. */
const [idAt, revisionAt, inviteKeyAt, macAt] = [1, 9, 45, 61];

/**
 * Makes an invitation: a secret for somebody else, that can do less than one's own and ends with it. Asks nobody.
 *
 * @throws TypeError for a secret that isn't one of a router, or options that no invitation can have.
 */
export async function invite(options: InviteOptions): Promise<Invited> {
  const { name: host, secret, guest, peer, protocol, expiresAt, uses = 1 } = options;
  if (!secretPattern.test(secret))
    throw new TypeError(`Cannot invite as "${host}": the secret is not one of a router's`);
  const bytes = bytesOf(secret.slice("mp_".length));
  const invitation: Invitation = {
    host,
    secretId: hexOf(bytes.subarray(idAt, revisionAt)),
    revision: new DataView(bytes.buffer).getUint32(revisionAt),
    guest,
    peer,
    protocol,
    expiresAtMs: expiresAt.getTime(),
    uses,
    nonce: hexOf(crypto.getRandomValues(new Uint8Array(nonceBytes))),
  };
  const problem = invitationProblem(invitation);
  if (problem !== undefined) throw new TypeError(`Cannot invite "${guest}": an invitation ${problem}`);
  const signedBytes = new Uint8Array(invitationBytes(invitation));
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", bytes.slice(inviteKeyAt, macAt), algorithm, false, ["sign"]);
  const mac = new Uint8Array(await crypto.subtle.sign("HMAC", key, signedBytes)).subarray(0, invitationMacBytes);
  return { invitation: invitationText(signedBytes, mac), name: guestName(invitation) };
}

/** What an invitation says, for who holds it; `undefined` for what is none. Only the router knows whether it is good. */
export function readInvitation(text: string): (Omit<InviteOptions, "secret"> & { readonly host: string }) | undefined {
  const invitation = readInvitationText(text)?.invitation;
  if (invitation === undefined) return undefined;
  const { host, guest, peer, protocol, uses, expiresAtMs } = invitation;
  return { host, name: guestName(invitation), guest, peer, protocol, uses, expiresAt: new Date(expiresAtMs) };
}

function bytesOf(base64url: string): Uint8Array<ArrayBuffer> {
  const characters = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(characters, (character) => character.charCodeAt(0));
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
