import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { mintSecret, verifySecret } from "../../src/credentials/secret.ts";

const pepper = "pepper of this test";
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const textLength = "mp_".length + 108;

function verify(text: string): ReturnType<typeof verifySecret> {
  return verifySecret(pepper, "home", "alice", text);
}

/** A secret's text with other bytes and a checksum that fits them. */
function withBytes(text: string, change: (bytes: Buffer) => void): string {
  const bytes = Buffer.from(text.slice(3), "base64url");
  change(bytes);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, 77)), 77);
  return `mp_${bytes.toString("base64url")}`;
}

describe("a secret", () => {
  test("a secret is mp_ and 108 characters of base64url, and tells its id and revision", () => {
    for (const revision of [1, 0x1234_5678, 0xffff_ffff]) {
      const secret = mintSecret(pepper, "home", "alice", revision);
      expect(secret.text).toMatch(/^mp_[\w-]{108}$/);
      expect(secret.id).toMatch(/^[0-9a-f]{16}$/);
      expect(verify(secret.text)).toEqual({ ...secret, revision });
      const bytes = Buffer.from(secret.text.slice(3), "base64url");
      expect(bytes).toHaveLength(81);
      expect(bytes[0]).toBe(2);
      expect(bytes.toString("hex", 1, 9)).toBe(secret.id);
      expect(bytes.readUInt32BE(9)).toBe(revision);
    }
  });

  test("a secret ends with a checksum that needs no key", () => {
    const bytes = Buffer.from(mintSecret(pepper, "home", "alice", 1).text.slice(3), "base64url");
    expect(bytes.readUInt32BE(77)).toBe(crc32(bytes.subarray(0, 77)));
  });

  test("secrets are never the same twice, nor are their hashes or ids", () => {
    const secrets = Array.from({ length: 100 }, () => mintSecret(pepper, "home", "alice", 1));
    for (const field of ["text", "id", "hash"] as const)
      expect(new Set(secrets.map((secret) => secret[field])).size).toBe(100);
  });

  test("a secret can't be derived from its hash, which is keyed with the pepper and covers every byte", () => {
    const { text, hash } = mintSecret(pepper, "home", "alice", 1);
    const bytes = Buffer.from(text.slice(3), "base64url");
    expect(hash).toBe(createHmac("sha256", pepper).update("mp stored v1\n").update(bytes).digest("base64url"));
    expect(text).not.toContain(hash);
  });

  test("a secret is refused with any one character changed to any other", () => {
    const { text } = mintSecret(pepper, "home", "alice", 7);
    const accepted: string[] = [];
    for (let at = 0; at < textLength; at++) {
      for (const character of alphabet + "=+/ é\n\0") {
        const changed = text.slice(0, at) + character + text.slice(at + 1);
        if (changed !== text && verify(changed) !== undefined) accepted.push(`${at}: ${character}`);
      }
    }
    expect(accepted).toEqual([]);
  });

  test("a secret is refused with a changed byte though the checksum fits, MAC and version included", () => {
    const { text } = mintSecret(pepper, "home", "alice", 7);
    expect(verify(withBytes(text, () => undefined))).toBeDefined();
    for (let at = 0; at < 77; at++) {
      const changed = withBytes(text, (bytes) => bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at));
      expect(verify(changed), `byte ${at}`).toBeUndefined();
    }
  });

  test("a secret of another pepper, realm or name is refused, even where the two run together the same", () => {
    const { text } = mintSecret(pepper, "home", "alice", 1);
    expect(verify(text)).toBeDefined();
    expect(verifySecret("another pepper", "home", "alice", text)).toBeUndefined();
    expect(verifySecret(pepper, "work", "alice", text)).toBeUndefined();
    expect(verifySecret(pepper, "home", "bob", text)).toBeUndefined();
    expect(verifySecret(pepper, "homea", "lice", text)).toBeUndefined();
    expect(verifySecret(pepper, "hom", "ealice", text)).toBeUndefined();
  });

  test("a secret is refused if it is cut, lengthened, in another case, without its prefix or with space around it", () => {
    const { text } = mintSecret(pepper, "home", "alice", 1);
    const variants = [
      "",
      "mp_",
      text.slice(0, -1),
      `${text}A`,
      ` ${text}`,
      `${text} `,
      `${text}\n`,
      text.toUpperCase(),
      text.slice(3),
      `${text}${text}`,
    ];
    for (const variant of variants) expect(verify(variant), JSON.stringify(variant)).toBeUndefined();
  });
});
