import { createHmac } from "node:crypto";

type Claims = Readonly<Record<string, unknown>>;

/** A token (RFC 7519) as any backend makes one, signed by HMAC with the hash that its `alg` says: nothing here is the router's. */
export function tokenOf(
  claims: Claims,
  key: string | Uint8Array,
  header: Claims = { alg: "HS256", typ: "JWT" },
): string {
  const signed = signedPart(claims, header);
  return `${signed}.${createHmac(header["alg"] === "HS512" ? "sha512" : "sha256", key)
    .update(signed)
    .digest("base64url")}`;
}

/** The part of a token that is signed. */
export function signedPart(claims: Claims, header: Claims): string {
  return [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
}

/** Claims that hold now, for one hour. */
export function claimsOf(sub: string, more: Claims = {}): Claims {
  const iat = Math.floor(Date.now() / 1_000);
  return { sub, iat, exp: iat + 3_600, ...more };
}
