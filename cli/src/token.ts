import { createHmac, createPrivateKey, type KeyObject, sign } from "node:crypto";

/**
 * Signs a token (RFC 7519). This is what login servers do with a library.
 *
 * @param id the key's in the realm, which the token names unless the key is a JWK with an id of its own
 * @param key a private key in PEM or as a JWK, or any other text as the secret of HS256
 * @throws Error for a private key that can't sign tokens
 */
export function signedToken(id: string, key: string, claims: object): string {
  const { algorithm, kid = id, signatureOf } = signerOf(key);
  const header = { alg: algorithm, typ: "JWT", kid };
  const signed = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  return `${signed}.${signatureOf(Buffer.from(signed)).toString("base64url")}`;
}

interface Signer {
  readonly algorithm: string;
  /** The id of the key in a set. */
  readonly kid?: string;
  signatureOf(signed: Buffer): Buffer;
}

function signerOf(text: string): Signer {
  if (text.startsWith("-----BEGIN ")) return privateSigner(createPrivateKey(text));
  if (!text.startsWith("{")) {
    return { algorithm: "HS256", signatureOf: (signed) => createHmac("sha256", text).update(signed).digest() };
  }
  const jwk = JSON.parse(text) as { readonly kid?: unknown };
  const signer = privateSigner(createPrivateKey({ key: jwk, format: "jwk" }));
  return { ...signer, ...(typeof jwk.kid === "string" && { kid: jwk.kid }) };
}

function privateSigner(key: KeyObject): Signer {
  const { asymmetricKeyType: type, asymmetricKeyDetails: { namedCurve = "" } = {} } = key;
  switch (type === "ec" ? namedCurve : type) {
    case "prime256v1":
      return {
        algorithm: "ES256",
        signatureOf: (signed) => sign("sha256", signed, { key, dsaEncoding: "ieee-p1363" }),
      };
    case "ed25519":
      return { algorithm: "EdDSA", signatureOf: (signed) => sign(null, signed, key) };
    case "rsa":
      return { algorithm: "RS256", signatureOf: (signed) => sign("sha256", signed, key) };
    default:
      throw new Error("a private key must be of EC with P-256, Ed25519 or RSA");
  }
}
