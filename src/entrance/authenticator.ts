import { isInvitation } from "@messagepasser/protocol";
import { verifyInvitation } from "../credentials/invitation.ts";
import { verifySecret } from "../credentials/secret.ts";
import type { Env } from "../env.ts";
import type { Admission } from "../realm/admission.ts";
import type { Claim } from "./claim.ts";

/** Decides which clients the router admits. */
export interface Authenticator {
  /**
   * The client behind a claim, or `undefined` to refuse it. The client is not told why. Should look nothing up: how often a
   * client may connect is checked afterwards.
   */
  authenticate(claim: Claim): Promise<Admission | undefined>;
}

/** To authenticate clients in another way, return your own authenticator here. Nothing else has to change. */
export function authenticatorOf(env: Env): Authenticator {
  return new SecretAuthenticator(env.MP_PEPPER ?? "");
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

  // A promise, since others may have to ask for theirs.
  authenticate({ realm, name, secret: text }: Claim): Promise<Admission | undefined> {
    return Promise.resolve(isInvitation(text) ? this.#guest(realm, name, text) : this.#client(realm, name, text));
  }

  #client(realm: string, name: string, text: string): Admission | undefined {
    const secret = verifySecret(this.#pepper, realm, name, text);
    return secret && { realm, name, credential: { revision: secret.revision, hash: secret.hash } };
  }

  #guest(realm: string, name: string, text: string): Admission | undefined {
    const invitation = verifyInvitation(this.#pepper, { realm, name, secret: text }, Date.now());
    return invitation && { realm, name, invitation };
  }
}
