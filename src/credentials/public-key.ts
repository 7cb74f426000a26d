import type { TokenAlgorithm } from "@messagepasser/protocol/admin";
import type { JWK } from "jose";
import { exportJWK } from "jose/key/export";
import { importJWK, importSPKI } from "jose/key/import";

/** A public key as it is stored: nothing but what makes the key. */
export interface PublicKey {
  readonly algorithm: Exclude<TokenAlgorithm, "HS256" | "JWKS">;
  readonly jwk: JWK;
}

/** In this order, since workerd takes any key for one of EdDSA. */
const algorithms = ["ES256", "RS256", "EdDSA"] as const;

/** Bits of the shortest modulus that RS256 allows (RFC 7518, 3.3). */
const minModulusBits = 2_048;

/** Reads a public key in PEM or as a JWK (RFC 7517). `undefined` unless it is one that the router can use, and no private key. */
export async function publicKeyIn(given: unknown): Promise<PublicKey | undefined> {
  if (typeof given !== "string") return await publicJwk(given);
  for (const algorithm of algorithms) {
    const key = await importSPKI(given.trim(), algorithm, { extractable: true })
      .then(exportJWK)
      .catch(() => undefined);
    if (key !== undefined) return await publicJwk(key);
  }
  return undefined;
}

/** The same for a JWK only. */
export async function publicJwk(given: unknown): Promise<PublicKey | undefined> {
  const { kty, crv, x, y, n, e, d, k, alg, use } = Object(given) as Record<string, unknown>;
  const algorithm = kty === "EC" ? "ES256" : kty === "OKP" ? "EdDSA" : kty === "RSA" ? "RS256" : undefined;
  const isPublic = d === undefined && k === undefined && (use === undefined || use === "sig");
  // "Ed25519" is the newer name of what most tokens still call "EdDSA".
  const isFit = alg === undefined || alg === algorithm || (algorithm === "EdDSA" && alg === "Ed25519");
  if (algorithm === undefined || !isPublic || !isFit) return undefined;
  if (![crv, x, y, n, e].every((part) => part === undefined || typeof part === "string")) return undefined;
  // All of them were found to be strings; which of them there must be is for the import to check.
  const jwk = Object.fromEntries(
    Object.entries({ kty, crv, x, y, n, e }).filter(([, part]) => part !== undefined),
  ) as JWK;
  const key = await importedKey({ algorithm, jwk }).catch(() => undefined);
  if (key === undefined) return undefined;
  const { modulusLength = minModulusBits } = key.algorithm as { readonly modulusLength?: number };
  return modulusLength < minModulusBits ? undefined : { algorithm, jwk };
}

/** The key itself. Rejects only for what isn't one. */
export async function importedKey({ algorithm, jwk }: PublicKey): Promise<CryptoKey> {
  const key = await importJWK(jwk, algorithm);
  if (key instanceof Uint8Array) throw new TypeError("A public key is no secret key");
  return key;
}
