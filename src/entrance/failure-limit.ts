import { routerLimits } from "@messagepasser/protocol";
import type { Env } from "../env.ts";
import type { Problem } from "../problem.ts";

const tooManyFailures: Problem = {
  code: "too-many-failures",
  detail: "Too many wrong secrets for this name, or from this address: try again in a minute",
  retryAfterS: routerLimits.failuresPeriodS,
};

/**
 * Counts a failed authentication, by name and by IP address. Only failures are counted and limited: a client with the
 * right secret is admitted at once, however many others try its name.
 *
 * @param name the realm and the client whose secret was tried, as "name home alice"; absent for an admin token.
 * @returns the answer to a failure too many, or `undefined`.
 */
export async function countFailure(env: Env, request: Request, name?: string): Promise<Problem | undefined> {
  const { FAILURES: failures } = env;
  if (failures === undefined) return undefined;
  const address = addressOf(request);
  const keys = [name, address && `address ${address}`].filter((key) => key !== undefined);
  const outcomes = await Promise.allSettled(keys.map((key) => failures.limit({ key })));
  // A failure that can't be counted gets the usual answer.
  const isOneTooMany = outcomes.some((outcome) => outcome.status === "fulfilled" && !outcome.value.success);
  return isOneTooMany ? tooManyFailures : undefined;
}

/**
 * Counts a look-up for what a stranger can make up, by IP address.
 *
 * @returns the answer to one too many, or `undefined`.
 */
export async function countLookUp({ FAILURES: failures }: Env, request: Request): Promise<Problem | undefined> {
  const address = addressOf(request);
  if (failures === undefined || address === undefined) return undefined;
  try {
    return (await failures.limit({ key: `look-up ${address}` })).success ? undefined : tooManyFailures;
  } catch {
    return undefined;
  }
}

/** The IP address of a request, which only Cloudflare tells. */
export function addressOf(request: Request): string | undefined {
  return request.headers.get("cf-connecting-ip") ?? undefined;
}
