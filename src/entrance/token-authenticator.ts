import { keyIdOf } from "@messagepasser/protocol";
import { knownKeys, readKeys } from "../credentials/key-cache.ts";
import { isToken, readToken, type Token, TokenError } from "../credentials/token.ts";
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
    const tooMany = await countLookUp(this.#env, this.#request);
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
    try {
      const verifier = await verifierOf(this.#env.MP_PEPPER ?? "", realm, key);
      return await readToken(text, { verifier, key, address, nowMs: Date.now() });
    } catch (error) {
      if (error instanceof TokenError) throw new ProblemError({ code: "unauthorized", detail: error.message });
      throw error;
    }
  }
}

const keysUnknown = {
  code: "restarting",
  detail: "The keys of tokens can't be read now: connect again in a few seconds",
  retryAfterS: 5,
} as const;
