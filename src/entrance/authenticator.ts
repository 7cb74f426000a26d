import { isHolderName, isInvitation } from "@messagepasser/protocol";
import { verifyInvitation } from "../credentials/invitation.ts";
import { verifySecret } from "../credentials/secret.ts";
import type { Env } from "../env.ts";
import type { Admission } from "../realm/admission.ts";
import type { Claim } from "./claim.ts";
import { TokenAuthenticator } from "./token-authenticator.ts";

/** Decides which clients the router admits. */
export interface Authenticator {
  /**
   * The client behind a claim, or `undefined` to refuse it. The client is not told why. Should look nothing up for what a
   * stranger can make up: how often a client may connect is checked afterwards.
   *
   * @throws ProblemError to tell a client that has shown that it isn't a stranger why it is refused
   */
  authenticate(claim: Claim): Promise<Admission | undefined>;
}

/** To authenticate clients in another way, return your own authenticator here. Nothing else has to change. */
export function authenticatorOf(env: Env, request: Request): Authenticator {
  const secrets = new SecretAuthenticator(env.MP_PEPPER ?? "");
  const tokens = new TokenAuthenticator(env, request);
  // The names of holders are theirs alone: a key can't speak for a client, nor a client for a holder.
  return { authenticate: (claim) => (isHolderName(claim.name) ? tokens : secrets).authenticate(claim) };
}

/**
 * Admits clients with a secret that this router made, and guests with an invitation. Whether it was rotated or revoked is
 * for KV and the realm's object to say.
 */
class SecretAuthenticator implements Authenticator {
  readonly #pepper: string;

  constructor(pepper: string) {
    this.#pepper = pepper;
  }

  // A promise, since other authenticators may have to ask somebody.
  authenticate(claim: Claim): Promise<Admission | undefined> {
    return Promise.resolve(isInvitation(claim.secret) ? this.#guest(claim) : this.#client(claim));
  }

  #client({ realm, name, secret: text }: Claim): Admission | undefined {
    const secret = verifySecret(this.#pepper, realm, name, text);
    return secret && { realm, name, credential: { revision: secret.revision, hash: secret.hash } };
  }

  #guest(claim: Claim): Admission | undefined {
    const { realm, name } = claim;
    const invitation = verifyInvitation(this.#pepper, claim, Date.now());
    return invitation && { realm, name, invitation };
  }
}
