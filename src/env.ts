import type { RouterObject } from "./router-object.ts";

/** What wrangler.toml binds to the Worker and to its object. */
export interface Env {
  /** One object a realm, by the realm's name. */
  readonly ROUTER: DurableObjectNamespace<RouterObject>;
  /** The edge's copy of each realm's credentials; see credential-record.ts. */
  readonly CREDENTIALS: KVNamespace;
  /** Opens the admin API. */
  readonly MP_ADMIN_TOKEN: string | undefined;
  /** Opens what of it only reads. May be unset: then nothing does. */
  readonly MP_ADMIN_READ_TOKEN?: string;
  /** Origins of pages that may connect, separated by spaces or commas. Unset: all pages may; see entrance/origins.ts. */
  readonly MP_ORIGINS?: string;
  /** Counts failures, by address and by name; absent where wrangler.toml binds none. */
  readonly FAILURES?: RateLimit;
  /** Keys the MAC in every secret and the hash under which it is stored. A new pepper ends every secret. */
  readonly MP_PEPPER: string | undefined;
}

/** Whether a Worker secret was never set, or set to nothing: then all that rests on it is refused. */
export function isUnset(secret: string | undefined): secret is "" | undefined {
  return secret === undefined || secret === "";
}
