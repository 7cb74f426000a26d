/** What wrangler.toml binds to the Worker and to its object. */
export interface Env {
  /** One object for each realm, by the realm's name; `AdministeredObject` says what it can be asked besides `fetch`. */
  readonly ROUTER: DurableObjectNamespace;
  /** The edge's copy of each realm's credentials; see credentials/kv-records.ts. */
  readonly CREDENTIALS: KVNamespace;
  /** The token of the admin API. */
  readonly MP_ADMIN_TOKEN: string | undefined;
  /** A token that may only read from the admin API. Default: no such token. */
  readonly MP_ADMIN_READ_TOKEN?: string;
  /** Origins of the pages that may connect, separated by spaces or commas; see entrance/origins.ts. Default: all pages. */
  readonly MP_ORIGINS?: string;
  /** Counts failed authentications by IP address and by name. Default: none are counted. */
  readonly FAILURES?: RateLimit;
  /** Counts links and tickets by client; see entrance/connect-limit.ts. Default: none are counted. */
  readonly CONNECTS?: RateLimit;
  /** The key of the MAC in every secret, and of the hash under which a secret is stored. A new pepper ends every secret. */
  readonly MP_PEPPER: string | undefined;
}

/** Whether a Worker secret is missing or empty: then the router refuses everything that depends on it. */
export function isUnset(secret: string | undefined): secret is "" | undefined {
  return secret === undefined || secret === "";
}
