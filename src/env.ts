import type { RouterObject } from "./router-object.ts";

/** What wrangler.toml binds to the Worker and to its object. */
export interface Env {
  /** One object a realm, by the realm's name. */
  readonly ROUTER: DurableObjectNamespace<RouterObject>;
  /** The edge's copy of each realm's credentials; see credential-record.ts. */
  readonly CREDENTIALS: KVNamespace;
  /** Opens the admin API. */
  readonly MP_ADMIN_TOKEN: string;
  /** Keys the MAC in every secret and the hash under which it is stored. A new pepper ends every secret. */
  readonly MP_PEPPER: string;
}
