import { routerLimits } from "@messagepasser/protocol";
import { type AuditEntry, type Usage, usageCounters } from "@messagepasser/protocol/admin";
import type { Env } from "../env.ts";
import { ProblemError } from "../problem.ts";
import { type AdministeredObject, type AdminMethod, type RealmAdmin, restartReason } from "../realm/realm-admin.ts";
import { homeOf } from "../shards/home.ts";
import { objectNameOf } from "../shards/object-name.ts";

/** A realm of several shards, and who changes it. */
interface ShardedRealm {
  readonly env: Env;
  readonly realm: string;
  readonly who: string;
  readonly count: number;
}

/** The object of a realm's shard. */
export function objectOf(env: Env, realm: string, shard: number): AdministeredObject {
  // The types of RPC can't express that parameters and result of `administer` depend on the method.
  return env.ROUTER.getByName(objectNameOf(realm, shard)) as unknown as AdministeredObject;
}

type Results = { readonly [Method in AdminMethod]: Awaited<ReturnType<RealmAdmin[Method]>> };

/**
 * Calls a method of the shards that it concerns, and makes one answer of theirs.
 *
 * @throws ProblemError if one of them doesn't answer
 */
export async function administerShards(
  realm: ShardedRealm,
  method: AdminMethod,
  parameters: readonly unknown[],
): Promise<Results[AdminMethod]> {
  switch (method) {
    case "addClient":
    case "rotateClient":
    case "revokeClient":
    case "setDisabled":
    case "client":
    case "decide":
      return await call(realm, homeOf(String(parameters[0]), realm.count), method, parameters);
    case "addKey":
    case "removeKey":
    case "listKeys":
    case "revokeTokens":
    case "rulesText":
    case "replaceRules":
      // The first shard tells the others.
      return await call(realm, 0, method, parameters);
    case "listClients": {
      const limit = Number(parameters[1]);
      const pages = await callAll(realm, method, parameters);
      const clients = pages.flatMap((page) => page.clients).sort(byNameBytes);
      const isLast = clients.length <= limit && pages.every(({ cursor }) => cursor === undefined);
      const page = clients.slice(0, limit);
      const cursor = isLast ? undefined : page.at(-1)?.name;
      return { clients: page, ...(cursor !== undefined && { cursor }) };
    }
    case "auditPage":
      return await auditPage(realm, Number(parameters[0]), Number(parameters[1]));
    case "usage":
      return sumOf(await callAll(realm, method, parameters));
    case "restart":
      await callAll(realm, method, parameters);
      return undefined;
    case "becomeShard":
      throw new Error("Each shard is asked by itself");
  }
}

async function call<Method extends AdminMethod>(
  { env, realm, who }: ShardedRealm,
  shard: number,
  method: Method,
  parameters: readonly unknown[],
): Promise<Results[Method]> {
  const object = objectOf(env, realm, shard);
  return (await object.administer(who, method, ...(parameters as Parameters<RealmAdmin[Method]>))) as Results[Method];
}

/** @throws ProblemError that names the shards which don't answer */
async function callAll<Method extends AdminMethod>(
  realm: ShardedRealm,
  method: Method,
  parameters: readonly unknown[],
): Promise<Results[Method][]> {
  const shards = Array.from({ length: realm.count }, (_, shard) => shard);
  const outcomes = await Promise.allSettled(shards.map(async (shard) => await call(realm, shard, method, parameters)));
  const silent = shards.filter((_, at) => {
    const outcome = outcomes[at];
    return outcome?.status === "rejected" && !String(outcome.reason).includes(restartReason);
  });
  if (silent.length > 0) {
    const detail = `Of the realm's ${realm.count} shards, these didn't answer: ${silent.join(", ")}. Try again`;
    throw new ProblemError({ code: "restarting", detail, retryAfterS: 5 });
  }
  return outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
}

/** In the order in which each shard lists its clients: that of the names' bytes. */
function byNameBytes(one: { readonly name: string }, other: { readonly name: string }): number {
  const [left, right] = [encoder.encode(one.name), encoder.encode(other.name)];
  const at = left.findIndex((byte, index) => byte !== right[index]);
  return at === -1 ? left.length - right.length : (left[at] ?? 0) - (right[at] ?? -1);
}

const encoder = new TextEncoder();

/** Each shard counts its own entries: here the numbers of all shards take turns. */
async function auditPage(realm: ShardedRealm, before: number, limit: number): Promise<AuditEntry[]> {
  const { count } = realm;
  const pages = await Promise.all(
    Array.from({ length: count }, async (_, shard) => {
      const ownBefore = before === Infinity ? before : Math.ceil((before - shard) / count);
      const entries = await call(realm, shard, "auditPage", [ownBefore, limit]);
      return entries.map((entry) => ({ ...entry, id: entry.id * count + shard }));
    }),
  );
  const entries = pages.flat().sort((one, other) => other.id - one.id);
  return entries.slice(0, limit);
}

function sumOf(usages: readonly Usage[]): Usage {
  const sum = (name: (typeof usageCounters)[number] | "asleepMs"): number =>
    usages.reduce((all, usage) => all + usage[name], 0);
  const sums = Object.fromEntries(usageCounters.map((name) => [name, sum(name)])) as Record<
    (typeof usageCounters)[number],
    number
  >;
  const since = usages.map((usage) => usage.since).sort()[0] ?? "";
  const unclosed = usages.flatMap((usage) => usage.unclosed).slice(0, routerLimits.maxUnclosedNames);
  return { ...sums, since, asleepMs: sum("asleepMs"), unclosed };
}
