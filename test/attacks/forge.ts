import { createHmac, randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";
import { type Invitation, invitationBytes, invitationMacBytes, invitationText } from "@messagepasser/protocol";

/** The parts of a secret, as ADMIN.md has them. */
export interface SecretParts {
  readonly id: string;
  readonly revision: number;
  readonly inviteKey: Buffer;
}

const prefix = "mp_";
const version = 2;
const [revisionAt, inviteKeyAt, macAt, crcAt] = [9, 45, 61, 77];

export function partsOf(secret: string): SecretParts {
  const bytes = Buffer.from(secret.slice(prefix.length), "base64url");
  return {
    id: bytes.toString("hex", 1, revisionAt),
    revision: bytes.readUInt32BE(revisionAt),
    inviteKey: bytes.subarray(inviteKeyAt, macAt),
  };
}

/** A guess that is right in all that a stranger can know: form, version and checksum. */
export function guessedSecret(revision = 1): string {
  const checked = randomBytes(crcAt);
  checked.writeUInt8(version, 0);
  checked.writeUInt32BE(revision, revisionAt);
  return withChecksum(checked);
}

/** A secret with one byte changed, and its checksum made good again. */
export function tamperedSecret(secret: string, at: number): string {
  const checked = Buffer.from(secret.slice(prefix.length), "base64url").subarray(0, crcAt);
  checked.writeUInt8((checked[at] ?? 0) ^ 1, at);
  return withChecksum(checked);
}

/** How many bytes of a secret can be tampered with. */
export const checkedSecretBytes = crcAt;

function withChecksum(checked: Buffer): string {
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(checked));
  return prefix + Buffer.concat([checked, checksum]).toString("base64url");
}

/** The fields of a host's invitation, for one guest called "guest" who may open anything to anybody. */
export function invitationOf(host: string, secret: string, fields: Partial<Invitation> = {}): Invitation {
  const { id, revision } = partsOf(secret);
  return {
    host,
    secretId: id,
    revision,
    guest: "guest",
    peer: "*",
    protocol: "*",
    expiresAtMs: Date.now() + 3_600_000,
    uses: 1,
    nonce: randomBytes(8).toString("hex"),
    serves: [],
    ...fields,
  };
}

/** Signs an invitation with a key, its own host's or another. Bytes to sign may differ from what the fields say. */
export function signed(invitation: Invitation, key: Uint8Array, bytes = invitationBytes(invitation)): string {
  return invitationText(bytes, createHmac("sha256", key).update(bytes).digest().subarray(0, invitationMacBytes));
}

/** An invitation's text, as its host makes it. */
export function invite(host: string, secret: string, fields: Partial<Invitation> = {}): string {
  return signed(invitationOf(host, secret, fields), partsOf(secret).inviteKey);
}
