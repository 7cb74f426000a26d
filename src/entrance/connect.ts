import {
  anySession,
  closeCodes,
  defaultRealm,
  isInvitation,
  nameProblem,
  type ProblemCode,
  problemStatuses,
  realmProblem,
} from "@messagepasser/protocol";
import { type Format, formatOf, formats } from "@messagepasser/protocol/formats";
import type { Context } from "hono";
import { type Env, isUnset } from "../env.ts";
import { badRequest, notConfiguredRetryS, type Problem, problemResponse } from "../problem.ts";
import { upgradeRequest } from "../realm/admission.ts";
import { closingMessages } from "../routing/encoding.ts";
import { authenticatorOf } from "./authenticator.ts";
import { claimIn, isCredentials, offeredSubprotocols } from "./claim.ts";
import { countFailure } from "./failure-limit.ts";
import { problemOfOrigin } from "./origins.ts";

const sessionPattern = /^[0-9a-f]{32}$/;

/** `GET /connect/:realm?session=…`: admits a client, or says why not. */
export async function connect(context: Context<{ Bindings: Env }>): Promise<Response> {
  const request = context.req.raw;
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
    const detail = "This address takes WebSocket upgrades only: connect to it with a MessagePasser client";
    return problemResponse({ code: "upgrade-required", detail }, { upgrade: "websocket" });
  }
  const offered = offeredSubprotocols(request);
  const answer = await admit(context, offered);
  return answer instanceof Response ? answer : refuse(answer, offered);
}

async function admit(context: Context<{ Bindings: Env }>, offered: readonly string[]): Promise<Response | Problem> {
  const { env } = context;
  const request = context.req.raw;
  const realm = context.req.param("realm") ?? defaultRealm;
  const origin = problemOfOrigin(env, request);
  if (origin !== undefined) return origin;
  const format = chosenFormat(offered);
  if (format === undefined) {
    // Short, since a close frame has room for 123 bytes.
    return badRequest(`Offer one of these subprotocols: ${formats.map(({ subprotocol }) => subprotocol).join(", ")}`);
  }
  const realmRule = realmProblem(realm);
  if (realmRule !== undefined) return badRequest(`Cannot connect: the realm's name ${realmRule}`);
  const chosen = context.req.query("session");
  const session = chosen ?? crypto.randomUUID().replaceAll("-", "");
  if (!sessionPattern.test(session)) return badRequest('Cannot connect: "session" must be 32 hexadecimal digits');
  if (session === anySession)
    return badRequest('Cannot connect: "session" must not be all zeros, which stands for any session');
  if (isUnset(env.MP_PEPPER)) return notConfigured;

  const claim = claimIn(realm, request, offered);
  if (claim === undefined) return unauthorized;
  const nameRule = nameProblem(claim.name);
  if (nameRule !== undefined) return badRequest(`Cannot connect: the client's name ${nameRule}`);
  const counted = `name ${realm} ${claim.name}`;
  const admission = await authenticatorOf(env).authenticate(claim);
  if (admission === undefined)
    return (await countFailure(env, request, counted)) ?? (looksMade(claim.secret) ? unauthorized : ownPassword);

  // A client of a by-name format can't tell a new link from the one before, so it can't resume.
  const resumes = chosen !== undefined && format.addressing === "address";
  const upgrade = upgradeRequest({ admission, session, resumes, format: format.subprotocol });
  const response = await fetchObject(env, admission.realm, upgrade);
  if (response?.status === 101) return response;
  if (response?.status !== 401) return restarting;
  return (await countFailure(env, request, counted)) ?? unauthorized;
}

/** The first offered format that the router has. */
function chosenFormat(offered: readonly string[]): Format | undefined {
  return offered.map(formatOf).find((format) => format !== undefined);
}

/** The answer of a realm's object, or `undefined` if the object ended meanwhile or is overloaded. */
async function fetchObject(env: Env, realm: string, request: Request): Promise<Response | undefined> {
  try {
    return await env.ROUTER.getByName(realm).fetch(request);
  } catch (error) {
    console.warn("Cannot reach a realm's object", error);
    return undefined;
  }
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

/** Whether a string begins like a secret or an invitation. This tells nothing about any client. */
function looksMade(secret: string): boolean {
  return secret.startsWith("mp_") || isInvitation(secret);
}

const notConfigured: Problem = {
  code: "not-configured",
  detail: 'The router has no pepper: set it with "wrangler secret put MP_PEPPER"',
  retryAfterS: notConfiguredRetryS,
};

const restarting: Problem = {
  code: "restarting",
  detail: "The router is restarting or has too much to do: connect again in a few seconds",
  retryAfterS: 5,
};

/**
 * Refuses an upgrade. A program gets an HTTP status. A page can't see a status, only that its socket failed; so for a page
 * the socket opens, and closes with a code and a reason. A client that sends credentials as a subprotocol counts as a page.
 */
function refuse(problem: Problem, offered: readonly string[]): Response {
  if (!offered.some(isCredentials)) {
    const challenge = { "www-authenticate": 'Basic realm="MessagePasser", charset="UTF-8"' };
    return problemResponse(problem, problem.code === "unauthorized" ? challenge : {});
  }
  const { 0: page, 1: socket } = new WebSocketPair();
  socket.accept();
  const code = closeCodeOf(problem.code);
  const format = chosenFormat(offered);
  if (format !== undefined) {
    const delayMs = 1_000 * (problem.retryAfterS ?? 0);
    for (const message of closingMessages(format, { code, delayMs, reason: problem.detail })) socket.send(message);
  }
  socket.close(code, problem.detail);
  // A page fails a socket that is opened without one of its subprotocols, but its credentials must not be echoed.
  const echo = format?.subprotocol ?? offered.find((subprotocol) => !isCredentials(subprotocol));
  return new Response(null, {
    status: 101,
    webSocket: page,
    headers: echo === undefined ? {} : { "sec-websocket-protocol": echo },
  });
}

function closeCodeOf(problem: ProblemCode): number {
  if (problem === "unauthorized") return closeCodes.unauthorized;
  const status = problemStatuses[problem];
  return status >= 500 || status === 429 ? closeCodes.overloaded : closeCodes.badRequest;
}
