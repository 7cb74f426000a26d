import { fromBase64url, toBase64url } from "./base64.ts";
import { limits, routerLimits } from "./limits.ts";
import { peerProblem } from "./names.ts";
import { utf8Length } from "./utf8.ts";

/** What an invitation says. Whoever holds it may read it; only the router and who made it can write one. */
export interface Invitation {
  /** The client that invites. */
  readonly host: string;
  /** Of the host's secret: 16 hexadecimal digits, and the revision. They name it without telling it. */
  readonly secretId: string;
  readonly revision: number;
  /** What the guest is called: its whole name is `host/guest`. */
  readonly guest: string;
  /** Whom the guest may open something to, and what; `*` in it stands for anything. */
  readonly peer: string;
  readonly protocol: string;
  /** Milliseconds since 1970. */
  readonly expiresAtMs: number;
  /** How many sessions may come in by it. */
  readonly uses: number;
  /** 16 hexadecimal digits that tell it from all others of its host. */
  readonly nonce: string;
}

/** An invitation's text, taken apart. */
export interface SignedInvitation {
  readonly invitation: Invitation;
  /** What was signed, and the signature. */
  readonly signedBytes: Uint8Array;
  readonly mac: Uint8Array;
}

const prefix = "mpi_";
/** Bytes of an HMAC-SHA-256 that stand in an invitation. */
export const invitationMacBytes = 16;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Whether a text is meant as an invitation. */
export function isInvitation(text: string): boolean {
  return text.startsWith(prefix);
}

/** The whole name of a guest. Who reads it sees who vouches for it. */
export function guestName({ host, guest }: Pick<Invitation, "host" | "guest">): string {
  return `${host}/${guest}`;
}

/** The bytes that a signature is made of. */
export function invitationBytes(invitation: Invitation): Uint8Array {
  const { host, secretId, revision, guest, peer, protocol, expiresAtMs, uses, nonce } = invitation;
  return encoder.encode(JSON.stringify([1, host, secretId, revision, guest, peer, protocol, expiresAtMs, uses, nonce]));
}

/** The text of an invitation. */
export function invitationText(signedBytes: Uint8Array, mac: Uint8Array): string {
  const bytes = new Uint8Array(mac.length + signedBytes.length);
  bytes.set(mac);
  bytes.set(signedBytes, mac.length);
  return prefix + toBase64url(bytes);
}

/** Takes an invitation's text apart, or `undefined` for what is none. Says nothing of whether the signature is good. */
export function readInvitationText(text: string): SignedInvitation | undefined {
  if (!isInvitation(text) || text.length > routerLimits.maxInvitationLength) return undefined;
  const bytes = fromBase64url(text.slice(prefix.length));
  if (bytes === undefined || bytes.length <= invitationMacBytes) return undefined;
  const [mac, signedBytes] = [bytes.subarray(0, invitationMacBytes), bytes.subarray(invitationMacBytes)];
  const invitation = readInvitation(signedBytes);
  return invitation && { invitation, signedBytes, mac };
}

/** The rule that an invitation's fields break, as the end of a sentence, or `undefined`. */
export function invitationProblem({ guest, host, peer, protocol, uses, expiresAtMs }: Invitation): string | undefined {
  const rule = peerProblem(guestName({ host, guest }));
  if (guest === "" || guest.includes("/") || rule !== undefined)
    return `needs a guest's name that ${rule ?? 'has no "/"'}`;
  if (peer === "" || protocol === "") return "needs a peer and a protocol";
  if (utf8Length(peer) > limits.maxNameBytes) return "names a peer that is too long";
  if (utf8Length(protocol) > limits.maxProtocolBytes) return "names a protocol that is too long";
  if (!Number.isInteger(uses) || uses < 1 || uses > routerLimits.maxInvitationUses)
    return `must be for 1 to ${routerLimits.maxInvitationUses} uses`;
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
  if (!Array.isArray(fields) || fields.length !== 10) return undefined;
  const [version, host, secretId, revision, guest, peer, protocol, expiresAtMs, uses, nonce] = fields as unknown[];
  const texts = [host, secretId, guest, peer, protocol, nonce];
  if (version !== 1 || !texts.every((text) => typeof text === "string" && text.isWellFormed())) return undefined;
  if (![revision, expiresAtMs, uses].every((number) => Number.isSafeInteger(number))) return undefined;
  const read = { host, secretId, revision, guest, peer, protocol, expiresAtMs, uses, nonce } as Invitation;
  const areIds = [read.secretId, read.nonce].every((id) => /^[0-9a-f]{16}$/.test(id));
  return areIds && read.revision >= 0 && read.revision <= 0xffff_ffff && invitationProblem(read) === undefined
    ? read
    : undefined;
}
