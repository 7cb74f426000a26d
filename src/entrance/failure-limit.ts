import type { Env } from "../env.ts";
import type { Problem } from "../problem.ts";

/** The time over which failures are counted: wrangler.toml says how many there may be. */
const failuresPeriodS = 60;

/** Who tries secrets is answered so after some failures, whatever it tries next. */
const tooManyFailures: Problem = {
  code: "too-many-failures",
  detail: "Too many wrong secrets for this name, or from this address: try again in a minute",
  retryAfterS: failuresPeriodS,
};

/**
 * Counts a failure to authenticate, by name and by address, and says whether it is one too many. Only failures are ever
 * counted and held up: who has the secret comes in at once, whatever others try under the same name.
 *
 * @param name whose secret was tried, as "name home alice"; absent where all that is known is from where.
 */
export async function problemOfFailure(env: Env, request: Request, name?: string): Promise<Problem | undefined> {
  const { FAILURES: failures } = env;
  if (failures === undefined) return undefined;
  const address = addressOf(request);
  const keys = [name, address && `address ${address}`].filter((key) => key !== undefined);
  const outcomes = await Promise.allSettled(keys.map((key) => failures.limit({ key })));
  // Where they can't be counted they are answered as ever.
  const isOneTooMany = outcomes.some((outcome) => outcome.status === "fulfilled" && !outcome.value.success);
  return isOneTooMany ? tooManyFailures : undefined;
}

/** Where a request comes from, as Cloudflare says; elsewhere nobody does. */
export function addressOf(request: Request): string | undefined {
  return request.headers.get("cf-connecting-ip") ?? undefined;
}
