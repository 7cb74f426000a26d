import { fromBase64url, toBase64url } from "./base64.ts";
import { isHolderName } from "./holders.ts";
import { limits, routerLimits } from "./limits.ts";
import { lookAlikeProblem, peerProblem, protocolProblem } from "./names.ts";
import { utf8Length } from "./utf8.ts";

/** What an invitation says. Its holder can read it. Only the router and the host can make one. */
export interface Invitation {
  /** The name of the client that invites. */
  readonly host: string;
  /** The id of the host's secret, 16 hexadecimal digits, and its revision. They identify the secret without revealing it. */
  readonly secretId: string;
  readonly revision: number;
  /** The last part of the guest's name, which is `host/guest`. */
  readonly guest: string;
  /** The peer and the protocol that the guest may open. `*` matches anything. Both are empty for a guest that opens nothing. */
  readonly peer: string;
  readonly protocol: string;
  /** Milliseconds since 1970. */
  readonly expiresAtMs: number;
  /** How many sessions may use the invitation. */
  readonly uses: number;
  /** 16 hexadecimal digits that differ for each invitation of a host. */
  readonly nonce: string;
  /** Patterns of the protocols that others may open to the guest. */
  readonly serves: readonly string[];
}

/** The parts of an encoded invitation. */
export interface SignedInvitation {
  readonly invitation: Invitation;
  /** The signed bytes, and their signature. */
  readonly signedBytes: Uint8Array;
  readonly mac: Uint8Array;
}

const prefix = "mpi_";
const version = 2;
/** Bytes of an HMAC-SHA-256 that stand in an invitation. */
export const invitationMacBytes = 16;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Whether a string is meant as an invitation. */
export function isInvitation(text: string): boolean {
  return text.startsWith(prefix);
}

/** The name of a guest. It shows which client vouches for the guest. */
export function guestName({ host, guest }: Pick<Invitation, "host" | "guest">): string {
  return `${host}/${guest}`;
}

/** The client whose guest may have a name, or `undefined` for a name that no guest has. */
export function hostInName(name: string): string | undefined {
  // The last part of a guest's name has no slash.
  const at = name.lastIndexOf("/");
  return at <= 0 || isHolderName(name) ? undefined : name.slice(0, at);
}

/** The bytes to sign. */
export function invitationBytes(invitation: Invitation): Uint8Array {
  const { host, secretId, revision, guest, peer, protocol, expiresAtMs, uses, nonce, serves } = invitation;
  const fields = [version, host, secretId, revision, guest, peer, protocol, expiresAtMs, uses, nonce, serves];
  return encoder.encode(JSON.stringify(fields));
}

/** Encodes an invitation as a string. */
export function invitationText(signedBytes: Uint8Array, mac: Uint8Array): string {
  const bytes = new Uint8Array(mac.length + signedBytes.length);
  bytes.set(mac);
  bytes.set(signedBytes, mac.length);
  return prefix + toBase64url(bytes);
}

/** Decodes an invitation, without checking its signature. Returns `undefined` for anything else. */
export function readInvitationText(text: string): SignedInvitation | undefined {
  if (!isInvitation(text) || text.length > routerLimits.maxInvitationLength) return undefined;
  const bytes = fromBase64url(text.slice(prefix.length));
  if (bytes === undefined || bytes.length <= invitationMacBytes) return undefined;
  const [mac, signedBytes] = [bytes.subarray(0, invitationMacBytes), bytes.subarray(invitationMacBytes)];
  const invitation = readInvitation(signedBytes);
  return invitation && { invitation, signedBytes, mac };
}

/** The rule that an invitation's fields break, as the end of a sentence, or `undefined`. */
export function invitationProblem(invitation: Invitation): string | undefined {
  const { guest, host, peer, protocol, uses, expiresAtMs, serves } = invitation;
  const rule = peerProblem(guestName({ host, guest })) ?? lookAlikeProblem(guest);
  if (guest === "" || guest.includes("/") || rule !== undefined)
    return `needs a guest's name that ${rule ?? 'has no "/"'}`;
  if ((peer === "" || protocol === "") && (peer !== protocol || serves.length === 0))
    return "needs a peer and a protocol, or protocols that the guest serves";
  if (utf8Length(peer) > limits.maxNameBytes) return "names a peer that is too long";
  if (utf8Length(protocol) > limits.maxProtocolBytes) return "names a protocol that is too long";
  if (!Number.isInteger(uses) || uses < 1 || uses > routerLimits.maxInvitationUses)
    return `must be for 1 to ${routerLimits.maxInvitationUses} uses`;
  for (const served of serves) {
    const problem = protocolProblem(served);
    if (problem !== undefined) return `names a protocol to serve that ${problem}`;
  }
  if (utf8Length(JSON.stringify(serves)) > routerLimits.maxInvitationServesBytes)
    return `must have at most ${routerLimits.maxInvitationServesBytes} bytes of protocols to serve`;
  if (!Number.isSafeInteger(expiresAtMs) || expiresAtMs < 0) return "needs a time at which it expires";
  return undefined;
}

function readInvitation(bytes: Uint8Array): Invitation | undefined {
  let fields: unknown;
  try {
    fields = JSON.parse(decoder.decode(bytes));
  } catch {
    return undefined;
  }
  if (!Array.isArray(fields) || fields.length !== 11 || fields[0] !== version) return undefined;
  const [, host, secretId, revision, guest, peer, protocol, expiresAtMs, uses, nonce, serves] = fields as unknown[];
  if (!Array.isArray(serves)) return undefined;
  const texts = [host, secretId, guest, peer, protocol, nonce, ...(serves as unknown[])];
  if (!texts.every((text) => typeof text === "string" && text.isWellFormed())) return undefined;
  if (![revision, expiresAtMs, uses].every((number) => Number.isSafeInteger(number))) return undefined;
  const read = { host, secretId, revision, guest, peer, protocol, expiresAtMs, uses, nonce, serves } as Invitation;
  const areIds = [read.secretId, read.nonce].every((id) => /^[0-9a-f]{16}$/.test(id));
  return areIds && read.revision >= 0 && read.revision <= 0xffff_ffff && invitationProblem(read) === undefined
    ? read
    : undefined;
}
