import {
  anySession,
  defaultRealm,
  instanceProblem,
  isHolderName,
  isInvitation,
  nameProblem,
  realmProblem,
  routerLimits,
} from "@messagepasser/protocol";
import type { Context } from "hono";
import { isRevokedInKv } from "../credentials/kv-records.ts";
import { verifyTicket } from "../credentials/ticket.ts";
import { type Env, isUnset } from "../env.ts";
import { badRequest, notConfiguredRetryS, type Problem, ProblemError } from "../problem.ts";
import type { Admission, AdmittingObject, Busy, Moved } from "../realm/admission.ts";
import { objectOf } from "../realm/objects.ts";
import { authenticatorOf } from "./authenticator.ts";
import { claimIn } from "./claim.ts";
import { countConnect, noteRefusal } from "./connect-limit.ts";
import { countFailure } from "./failure-limit.ts";
import { askHome } from "./shard-counts.ts";
import { problemOfOrigin } from "./origins.ts";

export type EntranceContext = Context<{ Bindings: Env }>;

const sessionPattern = /^[0-9a-f]{32}$/;

/** The realm that a request names, if pages of the request's origin may connect. @throws ProblemError */
export function realmIn({ env, req }: EntranceContext): string {
  const origin = problemOfOrigin(env, req.raw);
  if (origin !== undefined) throw new ProblemError(origin);
  const realm = req.param("realm") ?? defaultRealm;
  const rule = realmProblem(realm);
  if (rule !== undefined) throw new ProblemError(badRequest(`Cannot connect: the realm's name ${rule}`));
  return realm;
}

/** The session that a request names; `undefined` if it names none. @throws ProblemError */
export function sessionIn({ req }: EntranceContext): string | undefined {
  const session = req.query("session");
  if (session === undefined) return undefined;
  if (!sessionPattern.test(session))
    throw new ProblemError(badRequest('Cannot connect: "session" must be 32 hexadecimal digits'));
  if (session === anySession) {
    const detail = 'Cannot connect: "session" must not be all zeros, which stands for any session';
    throw new ProblemError(badRequest(detail));
  }
  return session;
}

/** The instance that a request names; empty if it names none. @throws ProblemError */
export function instanceIn({ req }: EntranceContext): string {
  const instance = req.query("instance") ?? "";
  const rule = instance === "" ? undefined : instanceProblem(instance);
  if (rule !== undefined) throw new ProblemError(badRequest(`Cannot connect: the instance ${rule}`));
  return instance;
}

/**
 * The client behind a request, before its realm's object is asked. A header takes precedence over a ticket.
 *
 * @throws ProblemError
 */
export async function admissionIn(
  { env, req: { raw: request } }: EntranceContext,
  realm: string,
  ticket?: string,
): Promise<Admission> {
  if (isUnset(env.MP_PEPPER)) throw new ProblemError(notConfigured);
  const admission = await verified({ env, request, realm, pepper: env.MP_PEPPER }, ticket);
  const tooMany = await countConnect(env, admission);
  if (tooMany !== undefined) throw new ProblemError(tooMany);
  // The object was asked when the ticket was made, and is asked again.
  if (admission.ticket === undefined && (await isRevokedInKv(env.CREDENTIALS, admission)))
    throw await refusalOf(env, request, admission);
  return admission;
}

/** The client behind credentials or a ticket with a valid MAC: nothing is looked up. @throws ProblemError */
async function verified(
  { env, request, realm, pepper }: { env: Env; request: Request; realm: string; pepper: string },
  ticket: string | undefined,
): Promise<Admission> {
  const claim = claimIn(realm, request);
  if (claim === undefined) {
    if (ticket === undefined) throw new ProblemError(unauthorized);
    const admission = verifyTicket(pepper, realm, ticket);
    if (admission !== undefined) return admission;
    throw new ProblemError((await countFailure(env, request)) ?? usedTicket);
  }
  const nameRule = nameProblem(claim.name);
  if (nameRule !== undefined) throw new ProblemError(badRequest(`Cannot connect: the client's name ${nameRule}`));
  const admission = await authenticatorOf(env, request).authenticate(claim);
  if (admission !== undefined) return admission;
  const refusal = isHolderName(claim.name) ? wrongToken : looksMade(claim.secret) ? unauthorized : ownPassword;
  throw new ProblemError((await countFailure(env, request, nameKey(realm, claim.name))) ?? refusal);
}

/**
 * Asks the object that has a client's links. @throws ProblemError if the object ended meanwhile, or lets nobody in now
 *
 * @param ask what to ask, of a stub of the object. The object of another shard answers how many there are.
 */
export async function askObject<Answer>(
  env: Env,
  { realm, name }: Pick<Admission, "realm" | "name">,
  ask: (object: DurableObjectStub & AdmittingObject, shards: number) => Promise<Answer | Busy | Moved>,
): Promise<Answer> {
  let answer: Answer | Busy;
  try {
    answer = await askHome<Answer | Busy>(realm, name, async (shard, shards) => {
      // The types of RPC don't know the object's methods.
      const object = objectOf(env, realm, shard) as unknown as DurableObjectStub & AdmittingObject;
      return await ask(object, shards);
    });
  } catch (error) {
    console.warn("Cannot reach a realm's object", error);
    // The platform says so where too much waits for the object.
    throw new ProblemError(Object(error).overloaded === true ? overloaded : restarting);
  }
  if (!isBusy(answer)) return answer;
  throw new ProblemError(answer.busy === "overloaded" ? overloaded : restarting);
}

function isBusy(answer: unknown): answer is Busy {
  return answer instanceof Object && "busy" in answer;
}

/** The refusal of a client that the realm's object doesn't admit, as a failed login. */
export async function refusalOf(env: Env, request: Request, admission: Admission): Promise<ProblemError> {
  const { realm, name, ticket, token } = admission;
  noteRefusal(admission);
  const refusal = ticket !== undefined ? usedTicket : token === undefined ? unauthorized : revokedToken;
  return new ProblemError((await countFailure(env, request, nameKey(realm, name))) ?? refusal);
}

function nameKey(realm: string, name: string): string {
  return `name ${realm} ${name}`;
}

const unauthorized: Problem = {
  code: "unauthorized",
  detail: "Name or secret is wrong for this realm, or the secret was rotated or revoked",
};

/** `unauthorized`, for a secret that no router can have made. */
const ownPassword: Problem = {
  ...unauthorized,
  detail: "Name or secret is wrong; secrets are made by the router, so a password of your own can't be one",
};

/** `unauthorized`, for a token. */
const wrongToken: Problem = {
  ...unauthorized,
  detail: "The token is wrong for this realm and name, or its key was removed",
};

const revokedToken: Problem = { ...unauthorized, detail: "The token or its key was revoked: get a new one" };

/** `unauthorized`, for a ticket. */
const usedTicket: Problem = {
  ...unauthorized,
  detail: "The ticket is wrong for this realm, was used before or has expired: ask for another",
};

/** Whether a string begins like a secret or an invitation. This tells nothing about any client. */
function looksMade(secret: string): boolean {
  return secret.startsWith("mp_") || isInvitation(secret);
}

const notConfigured: Problem = {
  code: "not-configured",
  detail: 'The router has no pepper: set it with "wrangler secret put MP_PEPPER"',
  retryAfterS: notConfiguredRetryS,
};

/** The realm's object can't answer now. */
const restarting: Problem = {
  code: "restarting",
  detail: "The router is restarting or has too much to do: connect again in a few seconds",
  retryAfterS: 5,
};

/** The same for longer. */
const overloaded: Problem = {
  ...restarting,
  detail: "This part of the realm has too much to do: connect again in half a minute",
  retryAfterS: routerLimits.overloadedRetryS,
};
