import { routerLimits } from "@messagepasser/protocol";
import { type AuditEntry, type RealmLocation, type Usage, usageCounters } from "@messagepasser/protocol/admin";
import type { Env } from "../env.ts";
import { AskedInVain, askShards } from "../entrance/shard-counts.ts";
import { ProblemError } from "../problem.ts";
import { isMoved, type Moved } from "../realm/admission.ts";
import { type AdministeredObject, type AdminMethod, type RealmAdmin, restartReason } from "../realm/realm-admin.ts";
import { objectOf } from "../realm/objects.ts";
import { homeOf } from "../shards/home.ts";

/** A realm, and who changes it. */
interface AskedRealm {
  readonly env: Env;
  readonly realm: string;
  readonly who: string;
}

interface ShardedRealm extends AskedRealm {
  readonly count: number;
}

/** Thrown where an object counts other shards. */
class MovedError extends Error {
  override readonly name = "MovedError";
  readonly moved: Moved;

  constructor(moved: Moved) {
    super("The realm has grown");
    this.moved = moved;
  }
}

/** The object of a realm's shard. @param location where it is made, if it isn't there yet */
export function administeredObject(
  env: Env,
  realm: string,
  shard: number,
  location?: RealmLocation,
): AdministeredObject {
  // The types of RPC can't express that parameters and result of `administer` depend on the method.
  return objectOf(env, realm, shard, location) as unknown as AdministeredObject;
}

type Results = { readonly [Method in AdminMethod]: Awaited<ReturnType<RealmAdmin[Method]>> };

/**
 * Calls a method of the shards that it concerns, and makes one answer of theirs.
 *
 * @throws ProblemError if one of them does not answer, or the realm is growing
 */
export async function administerShards(
  realm: AskedRealm,
  method: AdminMethod,
  parameters: readonly unknown[],
): Promise<Results[AdminMethod]> {
  try {
    return await askShards(realm.realm, async (count) => {
      try {
        return await answerOf({ ...realm, count }, method, parameters);
      } catch (error) {
        if (error instanceof MovedError) return error.moved;
        throw error;
      }
    });
  } catch (error) {
    if (!(error instanceof AskedInVain)) throw error;
    const detail = "The realm is growing, and can't do this at the moment: try again";
    throw new ProblemError({ code: "restarting", detail, retryAfterS: 1 });
  }
}

async function answerOf(
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
    case "grow":
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
  }
}

/** @throws MovedError */
async function call<Method extends AdminMethod>(
  { env, realm, who, count }: ShardedRealm,
  shard: number,
  method: Method,
  parameters: readonly unknown[],
): Promise<Results[Method]> {
  const location = method === "grow" ? (parameters[1] as RealmLocation | undefined) : undefined;
  const object = administeredObject(env, realm, shard, location);
  const asker = { who, shards: count };
  const answer = await object.administer(asker, method, ...(parameters as Parameters<RealmAdmin[Method]>));
  if (isMoved(answer)) throw new MovedError(answer);
  return answer as Results[Method];
}

/** @throws MovedError, or ProblemError that names the shards which don't answer */
async function callAll<Method extends AdminMethod>(
  realm: ShardedRealm,
  method: Method,
  parameters: readonly unknown[],
): Promise<Results[Method][]> {
  const shards = Array.from({ length: realm.count }, (_, shard) => shard);
  const outcomes = await Promise.allSettled(shards.map(async (shard) => await call(realm, shard, method, parameters)));
  for (const outcome of outcomes)
    if (outcome.status === "rejected" && outcome.reason instanceof MovedError) throw outcome.reason;
  const silent = shards.filter((_, at) => {
    const outcome = outcomes[at];
    return outcome?.status === "rejected" && !String(outcome.reason).includes(restartReason);
  });
  const [only] = outcomes;
  if (realm.count === 1 && silent.length > 0 && only?.status === "rejected") throw only.reason;
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

/** The numbers of shards that there could be: an entry's id is the same however many there are. */
const idsOfShards = 1_024;

/** Each shard counts its own entries: here the numbers of all shards take turns. */
async function auditPage(realm: ShardedRealm, before: number, limit: number): Promise<AuditEntry[]> {
  const pages = await Promise.all(
    Array.from({ length: realm.count }, async (_, shard) => {
      const ownBefore = before === Infinity ? before : Math.ceil((before - shard) / idsOfShards);
      const entries = await call(realm, shard, "auditPage", [ownBefore, limit]);
      return entries.map((entry) => ({ ...entry, id: entry.id * idsOfShards + shard }));
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
