import { isInvitation } from "@messagepasser/protocol";
import { type CredentialRecord, credentialKey } from "../credentials/kv-records.ts";
import type { Env } from "../env.ts";
import type { Identity } from "../realm/admission.ts";
import { verifyInvitation } from "../credentials/invitation.ts";
import { verifySecret } from "../credentials/secret.ts";

/** Who a client says that it is. All three are hostile until `authenticate` has agreed. */
export interface Claim {
  readonly realm: string;
  readonly name: string;
  readonly secret: string;
}

/** Decides who may come in. */
export interface Authenticator {
  /** The identity behind a claim, or `undefined`: refused, with nothing said about why. */
  authenticate(claim: Claim): Promise<Identity | undefined>;
}

/** The one place to change who may come in: return an authenticator of your own here. */
export function authenticatorOf(env: Env): Authenticator {
  return new KvAuthenticator(env.CREDENTIALS, env.MP_PEPPER ?? "");
}

/**
 * Takes secrets that this router made. KV refuses what it knows to be rotated or revoked; it is a copy that lags,
 * so what it doesn't know passes on to the realm's object, which has the last word.
 */
class KvAuthenticator implements Authenticator {
  readonly #records: KVNamespace;
  readonly #pepper: string;

  constructor(records: KVNamespace, pepper: string) {
    this.#records = records;
    this.#pepper = pepper;
  }

  async authenticate({ realm, name, secret: text }: Claim): Promise<Identity | undefined> {
    if (isInvitation(text)) {
      const invitation = verifyInvitation(this.#pepper, realm, name, text, Date.now());
      if (invitation === undefined || (await this.#isRevoked(realm, invitation.host, invitation.revision)))
        return undefined;
      return { realm, name, invitation };
    }
    const secret = verifySecret(this.#pepper, realm, name, text);
    if (secret === undefined || (await this.#isRevoked(realm, name, secret.revision))) return undefined;
    const { revision, hash } = secret;
    return { realm, name, credential: { revision, hash } };
  }

  async #isRevoked(realm: string, name: string, revision: number): Promise<boolean> {
    const record = await this.#record(realm, name);
    // Fields of another version may mean something else.
    return record?.version === 1 && revision < record.leastRevision;
  }

  /** `null` also where KV can't be reached or holds something unreadable: then it knows nothing. */
  async #record(realm: string, name: string): Promise<CredentialRecord | null> {
    try {
      return await this.#records.get<CredentialRecord>(credentialKey(realm, name), "json");
    } catch (error) {
      console.warn("Cannot read a credential from KV", error);
      return null;
    }
  }
}
