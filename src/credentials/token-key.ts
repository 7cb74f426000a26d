import { createHmac, randomBytes } from "node:crypto";
import type { TokenAlgorithm, TokenKeyInfo } from "@messagepasser/protocol/admin";
import type { JWK } from "jose";
import { importJWK } from "jose/key/import";

/** A key that signs tokens, as the realm's object stores it and KV has it. Neither has a secret key that can be read. */
export interface TokenKey {
  readonly id: string;
  /** Differs for each key that the realm had, also for keys of one id. Never 0. */
  readonly revision: number;
  /** The only algorithm of the key's tokens, whatever a token says. */
  readonly algorithm: TokenAlgorithm;
  readonly source: KeySource;
  /** What `aud` may be; empty for the realm's address. */
  readonly audiences: readonly string[];
  /** How many seconds a token may be valid. */
  readonly maxLifeS: number;
  /** Tokens that were issued before are revoked: seconds since 1970. */
  readonly leastIssuedAtS: number;
  readonly addedAtMs: number;
}

/** Where the key's bytes are: the router derives a secret key of its own from its pepper. */
export type KeySource =
  { readonly kind: "made"; readonly nonce: string } | { readonly kind: "public"; readonly jwk: JWK };

/** Where the bytes of a new key that the router makes are. */
export function newSource(): KeySource {
  return { kind: "made", nonce: randomBytes(16).toString("base64url") };
}

/**
 * The secret key that the router made: 256 bits that depend on the pepper, the realm and the key. HMAC takes the bytes of
 * this text, as most libraries do.
 */
export function madeSecret(pepper: string, realm: string, nonce: string): string {
  const context = `mp token key v1\n${realm}\n${nonce}`;
  return `mpk_${createHmac("sha256", pepper).update(context).digest("base64url")}`;
}

/** What verifies a key's tokens. */
export async function verifierOf(
  pepper: string,
  realm: string,
  { source, algorithm }: TokenKey,
): Promise<CryptoKey | Uint8Array> {
  if (source.kind === "made") return new TextEncoder().encode(madeSecret(pepper, realm, source.nonce));
  return await importJWK(source.jwk, algorithm);
}

/** What an owner is told about a key. */
export function infoOf({
  id,
  algorithm,
  source,
  audiences,
  maxLifeS,
  leastIssuedAtS,
  addedAtMs,
}: TokenKey): TokenKeyInfo {
  return {
    id,
    algorithm,
    source: source.kind,
    audiences,
    maxLifeS,
    revokedBefore: leastIssuedAtS === 0 ? null : new Date(leastIssuedAtS * 1_000).toISOString(),
    addedAt: new Date(addedAtMs).toISOString(),
  };
}
