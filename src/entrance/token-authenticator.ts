import { waitUntil } from "cloudflare:workers";
import { keyIdOf } from "@messagepasser/protocol";
import { hadKeys, knownKeys, readKeys } from "../credentials/key-cache.ts";
import { KeySets } from "../credentials/jwks.ts";
import { importedKey } from "../credentials/public-key.ts";
import { isToken, keyNamedIn, readToken, type Token, TokenError, type Verification } from "../credentials/token.ts";
import { type TokenKey, verifierOf } from "../credentials/token-key.ts";
import type { Env } from "../env.ts";
import { ProblemError } from "../problem.ts";
import type { Admission } from "../realm/admission.ts";
import type { Claim } from "./claim.ts";
import { countLookUp } from "./failure-limit.ts";

/** Admits the holders of tokens that a key of the realm has signed. What was revoked, the realm's object knows too. */
export class TokenAuthenticator {
  readonly #env: Env;
  readonly #request: Request;

  constructor(env: Env, request: Request) {
    this.#env = env;
    this.#request = request;
  }

  /** @throws ProblemError for a token that a key has signed, and that isn't taken all the same */
  async authenticate({ realm, name, secret: text, address }: Claim): Promise<Admission | undefined> {
    const id = keyIdOf(name);
    if (id === undefined || !isToken(text)) return undefined;
    const key = (await this.#keysOf(realm)).find((each) => each.id === id);
    if (key === undefined) return undefined;
    const token = await this.#read(text, key, { realm, address });
    if (token?.name !== name) return undefined;
    const { issuedAtS, expiresAtMs, rights } = token;
    return { realm, name, token: { key: id, revision: key.revision, issuedAtS, expiresAtMs, rights } };
  }

  async #keysOf(realm: string): Promise<readonly TokenKey[]> {
    const known = knownKeys(realm);
    if (known !== undefined) return known;
    const tooMany = hadKeys(realm) ? undefined : await countLookUp(this.#env, this.#request);
    if (tooMany !== undefined) throw new ProblemError(tooMany);
    try {
      return await readKeys(this.#env.CREDENTIALS, realm);
    } catch (error) {
      console.warn("Cannot read the keys of tokens from KV", error);
      throw new ProblemError(keysUnknown);
    }
  }

  async #read(
    text: string,
    key: TokenKey,
    { realm, address }: Pick<Claim, "realm" | "address">,
  ): Promise<Token | undefined> {
    const verifying = await this.#verifying(text, key, realm);
    if (verifying === undefined) return undefined;
    try {
      return await readToken(text, { ...verifying, key, address, nowMs: Date.now() });
    } catch (error) {
      if (error instanceof TokenError) throw new ProblemError({ code: "unauthorized", detail: error.message });
      throw error;
    }
  }

  /** What verifies a token, with the algorithm that the key has. */
  async #verifying(
    text: string,
    key: TokenKey,
    realm: string,
  ): Promise<Pick<Verification, "verifier" | "algorithm"> | undefined> {
    const { id, revision, source, algorithm } = key;
    if (algorithm !== "JWKS" && source.kind !== "set")
      return { verifier: await verifierOf(this.#env.MP_PEPPER ?? "", realm, { ...key, source }), algorithm };
    if (source.kind !== "set") return undefined;
    const set = { id: `${realm}:${id}:${revision}`, url: source.url, kid: keyNamedIn(text) };
    const found = await keySets.find(set, {
      kv: this.#env.CREDENTIALS,
      fetch: (url, init) => fetch(url, init),
      waitUntil,
      now: () => Date.now(),
    });
    if (found === "unknown") throw new ProblemError(keyUnknown);
    if (found === "none") return undefined;
    return { verifier: await importedKey(found.key), algorithm: found.key.algorithm };
  }
}

/** What this Worker knows of the sets of keys that owners have named. */
const keySets = new KeySets();

const keysUnknown = {
  code: "restarting",
  detail: "The keys of tokens can't be read now: connect again in a few seconds",
  retryAfterS: 5,
} as const;

const keyUnknown = {
  ...keysUnknown,
  detail: "The set of keys at the URL hasn't given the token's key yet: connect again in a few seconds",
} as const;
