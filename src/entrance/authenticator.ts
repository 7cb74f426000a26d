import { isInvitation } from "@messagepasser/protocol";
import { verifyInvitation } from "../credentials/invitation.ts";
import { isRevokedInKv } from "../credentials/kv-records.ts";
import { verifySecret } from "../credentials/secret.ts";
import type { Env } from "../env.ts";
import type { Admission } from "../realm/admission.ts";
import type { Claim } from "./claim.ts";

/** Decides which clients the router admits. */
export interface Authenticator {
  /** The client behind a claim, or `undefined` to refuse it. The client is not told why. */
  authenticate(claim: Claim): Promise<Admission | undefined>;
}

/** To authenticate clients in another way, return your own authenticator here. Nothing else has to change. */
export function authenticatorOf(env: Env): Authenticator {
  return new SecretAuthenticator(env.CREDENTIALS, env.MP_PEPPER ?? "");
}

/**
 * Admits clients with a secret that this router made, and guests with an invitation. KV knows of most secrets that were
 * rotated or revoked. It is a copy that may lag, so the realm's object checks each admission again.
 */
class SecretAuthenticator implements Authenticator {
  readonly #kv: KVNamespace;
  readonly #pepper: string;

  constructor(kv: KVNamespace, pepper: string) {
    this.#kv = kv;
    this.#pepper = pepper;
  }

  async authenticate({ realm, name, secret: text }: Claim): Promise<Admission | undefined> {
    if (isInvitation(text)) {
      const invitation = verifyInvitation(this.#pepper, { realm, name, secret: text }, Date.now());
      if (invitation === undefined) return undefined;
      const { host, revision } = invitation;
      return (await isRevokedInKv(this.#kv, { realm, name: host, revision })) ? undefined : { realm, name, invitation };
    }
    const secret = verifySecret(this.#pepper, realm, name, text);
    if (secret === undefined) return undefined;
    const { revision, hash } = secret;
    if (await isRevokedInKv(this.#kv, { realm, name, revision })) return undefined;
    return { realm, name, credential: { revision, hash } };
  }
}
