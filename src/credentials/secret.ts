import { Buffer } from "node:buffer";
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { crc32 } from "node:zlib";

/**
 * A client's secret: 256 random bits that the router makes, with a MAC that shows that this router made it for this realm
 * and name. So the router refuses a guess without reading any store.
 *
 *     mp_ + base64url( version u8 | id 8 bytes | revision u32 | random 32 bytes | invite key 16 bytes | mac 16 bytes | crc32 u32 )
 *
 * The id names the secret where the secret must not be shown. The invite key signs invitations and opens nothing itself;
 * the router derives it again from the id and the revision. The checksum lets a scanner for leaked secrets recognise one
 * without a key.
 */
export interface Secret {
  /** The string that the client gets. It is shown once and stored nowhere. */
  readonly text: string;
  /** 16 hexadecimal digits, not secret. */
  readonly id: string;
  /** Grows with each secret of the same name. */
  readonly revision: number;
  /** A keyed hash of the whole secret, for stores. */
  readonly hash: string;
}

const prefix = "mp_";
const version = 2;
const [idAt, revisionAt, randomAt, inviteKeyAt] = [1, 9, 13, 45];
const inviteKeyBytes = 16;
const signedBytes = inviteKeyAt + inviteKeyBytes;
const macBytes = 16;
const checkedBytes = signedBytes + macBytes;

/** Makes a secret with new random bits. */
export function mintSecret(pepper: string, realm: string, name: string, revision: number): Secret {
  const signed = randomBytes(signedBytes);
  signed.writeUInt8(version, 0);
  signed.writeUInt32BE(revision, revisionAt);
  inviteKeyOf(pepper, realm, name, signed.subarray(idAt, randomAt)).copy(signed, inviteKeyAt);
  const checked = Buffer.concat([signed, mac(pepper, realm, name, signed)]);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(checked));
  return describe(pepper, Buffer.concat([checked, checksum]));
}

/** The secret in `text`, or `undefined` if this router didn't make it for this realm and name. Takes constant time. */
export function verifySecret(pepper: string, realm: string, name: string, text: string): Secret | undefined {
  const bytes = parse(text);
  const expected = mac(pepper, realm, name, (bytes ?? Buffer.alloc(signedBytes)).subarray(0, signedBytes));
  const given = bytes?.subarray(signedBytes, checkedBytes) ?? Buffer.alloc(macBytes);
  return timingSafeEqual(expected, given) && bytes !== undefined ? describe(pepper, bytes) : undefined;
}

function parse(text: string): Buffer | undefined {
  if (!/^mp_[\w-]{108}$/.test(text)) return undefined;
  const bytes = Buffer.from(text.slice(prefix.length), "base64url");
  return bytes[0] === version && bytes.readUInt32BE(checkedBytes) === crc32(bytes.subarray(0, checkedBytes))
    ? bytes
    : undefined;
}

function describe(pepper: string, bytes: Buffer): Secret {
  return {
    text: prefix + bytes.toString("base64url"),
    id: bytes.toString("hex", idAt, revisionAt),
    revision: bytes.readUInt32BE(revisionAt),
    hash: createHmac("sha256", pepper).update("mp stored v1\n").update(bytes).digest("base64url"),
  };
}

function mac(pepper: string, realm: string, name: string, signed: Uint8Array): Buffer {
  // Realms and names contain no line feed, so no two of them sign the same bytes.
  const context = `mp secret v1\n${realm}\n${name}\n`;
  return createHmac("sha256", pepper).update(context).update(signed).digest().subarray(0, macBytes);
}

/**
 * The key that signs the invitations of a secret. Only the secret's holder and the router know it.
 *
 * @param idAndRevision the 12 bytes of the secret after its version.
 */
export function inviteKeyOf(pepper: string, realm: string, name: string, idAndRevision: Uint8Array): Buffer {
  const context = `mp invite key v1\n${realm}\n${name}\n`;
  return createHmac("sha256", pepper).update(context).update(idAndRevision).digest().subarray(0, inviteKeyBytes);
}
