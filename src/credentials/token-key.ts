import { createHmac, randomBytes } from "node:crypto";
import type { TokenAlgorithm, TokenKeyInfo } from "@messagepasser/protocol/admin";
import type { JWK } from "jose";
import { importJWK } from "jose/key/import";
import { seal, unseal } from "./sealing.ts";

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

/** Where the key's bytes are. */
export type KeySource =
  /** A secret key that the router derives from its pepper. */
  | { readonly kind: "made"; readonly nonce: string }
  /** A secret key of the owner's, encrypted. */
  | { readonly kind: "given"; readonly sealed: string }
  | { readonly kind: "public"; readonly jwk: JWK }
  /** Public keys at a URL (jwks.ts). */
  | { readonly kind: "set"; readonly url: string };

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

/** Encrypts a secret key of an owner's. */
export async function givenSource(pepper: string, realm: string, id: string, secret: string): Promise<KeySource> {
  return { kind: "given", sealed: await seal(pepper, [realm, id], secret) };
}

/** What verifies the tokens of a key that is no set. */
export async function verifierOf(
  pepper: string,
  realm: string,
  { id, source, algorithm }: TokenKey & { readonly source: Exclude<KeySource, { kind: "set" }> },
): Promise<CryptoKey | Uint8Array> {
  if (source.kind === "public") return await importJWK(source.jwk, algorithm);
  if (source.kind === "given") return await unseal(pepper, [realm, id], source.sealed);
  return new TextEncoder().encode(madeSecret(pepper, realm, source.nonce));
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
    source: source.kind === "set" ? source.url : source.kind,
    audiences,
    maxLifeS,
    revokedBefore: leastIssuedAtS === 0 ? null : new Date(leastIssuedAtS * 1_000).toISOString(),
    addedAt: new Date(addedAtMs).toISOString(),
  };
}
