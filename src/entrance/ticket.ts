import { makeTicket } from "../credentials/ticket.ts";
import { type Problem, ProblemError, problemResponse } from "../problem.ts";
import { problemOfOrigin } from "./origins.ts";
import { admissionIn, askObject, type EntranceContext, realmIn, refusalOf, sessionIn } from "./sign-in.ts";

/** Seconds for which a browser may remember that pages of an origin may ask for tickets. */
const preflightLifeS = 7_200;

/** `OPTIONS /ticket/:realm`: tells a browser whether a page of another origin may ask for a ticket. */
export function allowTicket(context: EntranceContext): Response {
  try {
    realmIn(context);
  } catch (error) {
    return problemResponse(problemIn(error), readableBy(context));
  }
  const allowed = {
    "access-control-allow-methods": "POST",
    "access-control-allow-headers": "authorization",
    "access-control-max-age": String(preflightLifeS),
  };
  return new Response(null, { status: 204, headers: { ...readableBy(context), ...allowed } });
}

/** `POST /ticket/:realm?session=…`: a ticket for a client that shows its secret, for pages, which can't send headers with an upgrade. */
export async function ticket(context: EntranceContext): Promise<Response> {
  const headers = readableBy(context);
  try {
    const text = await ticketFor(context);
    return Response.json({ ticket: text }, { headers: { ...headers, "cache-control": "no-store" } });
  } catch (error) {
    // No challenge: browsers would ask their users for a password.
    return problemResponse(problemIn(error), headers);
  }
}

async function ticketFor(context: EntranceContext): Promise<string> {
  const { env, req } = context;
  const realm = realmIn(context);
  const session = sessionIn(context);
  const admission = await admissionIn(context, realm);
  if (await askObject(env, admission, async (object, shards) => await object.wouldAdmit(admission, session, shards)))
    return makeTicket(env.MP_PEPPER ?? "", realm, admission);
  throw await refusalOf(env, req.raw, admission);
}

/** Headers that let pages read an answer, if pages of their origin may connect. */
function readableBy({ env, req }: EntranceContext): Record<string, string> {
  const origin = req.header("origin");
  if (origin === undefined || problemOfOrigin(env, req.raw) !== undefined) return { vary: "origin" };
  return {
    vary: "origin",
    "access-control-allow-origin": origin,
    "access-control-expose-headers": "retry-after",
  };
}

function problemIn(error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem;
  throw error;
}
