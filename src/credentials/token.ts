import {
  holderName,
  nameProblem,
  newNameProblem,
  routerLimits,
  type Openable,
  type TokenRights,
  utf8Length,
} from "@messagepasser/protocol";
import type { TokenAlgorithm } from "@messagepasser/protocol/admin";
import { decodeProtectedHeader } from "jose/decode/protected_header";
import { JWTClaimValidationFailed, JWTExpired } from "jose/errors";
import { decodeJwt } from "jose/jwt/decode";
import { jwtVerify } from "jose/jwt/verify";
import type { TokenKey } from "./token-key.ts";

/** What a token with a valid signature says. */
export interface Token {
  readonly name: string;
  /** Seconds since 1970. */
  readonly issuedAtS: number;
  /** Milliseconds since 1970. */
  readonly expiresAtMs: number;
  readonly rights: TokenRights;
}

/** Why a token with a valid signature isn't taken: one sentence for its holder. */
export class TokenError extends Error {
  override readonly name = "TokenError";
}

/** Whether a string has the form of a token (RFC 7519). */
export function isToken(text: string): boolean {
  return text.length <= routerLimits.maxTokenLength && /^[\w-]+\.[\w-]+\.[\w-]+$/.test(text);
}

/** The key of a set that a token names; `undefined` if it names none. Hostile until the token was verified. */
export function keyNamedIn(text: string): string | undefined {
  const { kid } = headerIn(text);
  return typeof kid === "string" ? kid : undefined;
}

function headerIn(text: string): Readonly<Record<string, unknown>> {
  try {
    return { ...decodeProtectedHeader(text) };
  } catch {
    return {};
  }
}

/**
 * The name that a token is for, if it names its key by the key's id. Hostile until the token was verified.
 *
 * @returns `undefined` for a token that doesn't, and for what isn't a token
 */
export function holderNamedIn(text: string): string | undefined {
  const key = isToken(text) ? keyNamedIn(text) : undefined;
  if (key === undefined) return undefined;
  try {
    const { sub } = decodeJwt(text);
    return typeof sub === "string" ? holderName(key, sub) : undefined;
  } catch {
    return undefined;
  }
}

/** What a token is verified with. */
export interface Verification {
  /** A secret key's bytes, or a public key. */
  readonly verifier: CryptoKey | Uint8Array;
  /** The only one that counts. */
  readonly algorithm: Exclude<TokenAlgorithm, "JWKS">;
  readonly key: TokenKey;
  /** The realm's address without its scheme, as in "router.example.com/connect/home". */
  readonly address: string;
  readonly nowMs: number;
}

/**
 * Reads a token. The key says which algorithm it must be, and headers that name another key are ignored.
 *
 * @returns `undefined` for a token whose signature isn't the key's.
 * @throws TokenError for a token that the key signed, and that isn't taken all the same.
 */
export async function readToken(text: string, verification: Verification): Promise<Token | undefined> {
  const { key, nowMs } = verification;
  const claims = await verifiedClaims(text, verification);
  if (claims === undefined) return undefined;
  const { sub, iat = 0, exp = 0, aud } = claims;
  if (exp * 1_000 <= nowMs) throw new TokenError(expired);
  if (exp - iat > key.maxLifeS) throw new TokenError(`The token is valid for more than ${key.maxLifeS} seconds`);
  if (!isForRealm(aud, verification))
    throw new TokenError(
      `The token's "aud" must be ${key.audiences.length === 0 ? "the realm's address" : "an audience of its key"}`,
    );
  if (iat < key.leastIssuedAtS) throw new TokenError("The token was revoked: get a new one");
  return {
    name: nameOf(key.id, sub),
    issuedAtS: iat,
    expiresAtMs: Math.floor(exp * 1_000),
    rights: rightsIn(claims["mp"]),
  };
}

const expired = "The token has expired: get a new one";

async function verifiedClaims(text: string, { verifier, algorithm, key, nowMs }: Verification) {
  // "Ed25519" is the newer name of what most tokens still call "EdDSA".
  const algorithms = algorithm === "EdDSA" ? ["EdDSA", "Ed25519"] : [algorithm];
  // Before any cryptography. The library checks both too, in a way that older versions of workerd report as unhandled.
  const { alg, crit } = headerIn(text);
  if (!algorithms.some((each) => each === alg) || crit !== undefined) return undefined;
  try {
    const { payload } = await jwtVerify(text, verifier, {
      algorithms,
      requiredClaims: ["sub", "exp"],
      // Requires "iat", which must not be in the future.
      maxTokenAge: key.maxLifeS,
      clockTolerance: routerLimits.tokenLeewayS,
      currentDate: new Date(nowMs),
    });
    return payload;
  } catch (error) {
    // Only these two come after the signature was found to be right.
    if (error instanceof JWTExpired) throw new TokenError(expired, { cause: error });
    if (error instanceof JWTClaimValidationFailed) throw new TokenError(problemOf(error), { cause: error });
    return undefined;
  }
}

function problemOf({ claim, reason }: JWTClaimValidationFailed): string {
  if (reason === "missing") return `The token has no "${claim}"`;
  if (reason === "invalid") return `The token's "${claim}" is no number`;
  return `The token isn't valid yet, by its "${claim}"`;
}

/** Only the router knows a secret key that it made for one realm. Tokens of other keys may be for somebody else. */
function isForRealm(aud: unknown, { key, address }: Verification): boolean {
  if (aud === undefined && key.audiences.length === 0) return key.source.kind === "made";
  const given = (Array.isArray(aud) ? aud : [aud]).filter((each) => typeof each === "string");
  if (key.audiences.length > 0) return given.some((each) => key.audiences.includes(each));
  return given.some((each) => each.replace(/^(?:wss?|https?):\/\//, "") === address);
}

/** @throws TokenError for a subject that can't be part of a name. */
function nameOf(key: string, subject: unknown): string {
  const name = typeof subject === "string" ? holderName(key, subject) : "";
  const rule = typeof subject === "string" ? (newNameProblem(subject) ?? nameProblem(name)) : "must be a string";
  if (rule !== undefined) throw new TokenError(`The token's "sub" ${rule}`);
  return name;
}

/** @throws TokenError for rights that can't be read: what a newer router understands must narrow them here too. */
function rightsIn(claim: unknown): TokenRights {
  if (claim === undefined) return {};
  if (typeof claim !== "object" || claim === null || Array.isArray(claim)) throw badRights();
  const { open, serve, ...others } = claim as Record<string, unknown>;
  if (Object.keys(others).length > 0) throw badRights();
  if (open !== undefined && !(Array.isArray(open) && open.every(isOpenable))) throw badRights();
  if (serve !== undefined && !(Array.isArray(serve) && serve.every(isPattern))) throw badRights();
  const rights: TokenRights = {
    ...(open !== undefined && { open: open.map(({ peer, protocol }) => ({ peer, protocol })) }),
    ...(serve !== undefined && { serve }),
  };
  if (utf8Length(JSON.stringify(rights)) > routerLimits.maxTokenRightsBytes)
    throw new TokenError(`The token's "mp" has more than ${routerLimits.maxTokenRightsBytes} bytes`);
  return rights;
}

function badRights(): TokenError {
  return new TokenError(
    'The token\'s "mp" must be as in {"open": [{"peer": "bob", "protocol": "chat"}], "serve": ["chat"]}',
  );
}

function isOpenable(value: unknown): value is Openable {
  const { peer, protocol, ...others } = Object(value) as Record<string, unknown>;
  return isPattern(peer) && isPattern(protocol) && Object.keys(others).length === 0;
}

function isPattern(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.isWellFormed();
}
