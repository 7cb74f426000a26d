import { createHmac } from "node:crypto";

/** Signs a token with a secret key (RFC 7519, HS256). @param key HMAC takes the bytes of this text */
export function signedToken(key: string, claims: object): string {
  const signed = [{ alg: "HS256", typ: "JWT" }, claims].map(encoded).join(".");
  return `${signed}.${createHmac("sha256", key).update(signed).digest("base64url")}`;
}

function encoded(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}
