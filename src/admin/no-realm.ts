import type { AdminMethod, RealmAdmin } from "../realm/realm-admin.ts";
import { usageOf } from "../realm/usage.ts";
import { Rules } from "../routing/rules.ts";

/** What the calls of the admin API answer that don't make a realm, for a realm that doesn't exist. */
export const noRealm = {
  rotateClient: () => undefined,
  revokeClient: () => false,
  setDisabled: () => undefined,
  client: () => undefined,
  listClients: () => ({ clients: [] }),
  removeKey: () => undefined,
  listKeys: () => [],
  revokeTokens: () => undefined,
  rulesText: () => "",
  decide: (opener: string, peer: string, protocol: string) => Rules.parse("").decide(opener, peer, protocol),
  auditPage: () => [],
  usage: () => ({ ...usageOf([Date.now()], Date.now()), unclosed: [] }),
  restart: () => undefined,
} satisfies {
  [Method in Exclude<AdminMethod, "addClient" | "addKey" | "replaceRules" | "grow">]: (
    ...parameters: Parameters<RealmAdmin[Method]>
  ) => Awaited<ReturnType<RealmAdmin[Method]>>;
};
