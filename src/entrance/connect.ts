import {
  anySession,
  closeCodes,
  defaultRealm,
  isInvitation,
  nameProblem,
  type ProblemCode,
  problemStatuses,
  realmProblem,
  subprotocols,
} from "@messagepasser/protocol";
import { type Format, formatOf, formats } from "@messagepasser/protocol/formats";
import type { Context } from "hono";
import { authenticatorOf } from "./authenticator.ts";
import { fromAuthorization, fromSubprotocol, offeredSubprotocols } from "./claim.ts";
import { type Env, isUnset } from "../env.ts";
import { closingMessages } from "../routing/encoding.ts";
import { problemOfFailure } from "./failure-limit.ts";
import { problemOfOrigin } from "./origins.ts";
import { upgradeRequest } from "../realm/admission.ts";
import { badRequest, notConfiguredRetryS, type Problem, problemResponse } from "../problem.ts";

const sessionPattern = /^[0-9a-f]{32}$/;

/** `GET /connect/:realm?session=…`: lets a client in, or says why not. */
export async function connect(context: Context<{ Bindings: Env }>): Promise<Response> {
  const request = context.req.raw;
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
    const detail = "This address takes WebSocket upgrades only: connect to it with a MessagePasser client";
    return problemResponse({ code: "upgrade-required", detail }, { upgrade: "websocket" });
  }
  const offered = offeredSubprotocols(request);
  const problem = await admit(context, offered);
  return problem instanceof Response ? problem : refuse(problem, offered);
}

async function admit(context: Context<{ Bindings: Env }>, offered: readonly string[]): Promise<Response | Problem> {
  const request = context.req.raw;
  const realm = context.req.param("realm") ?? defaultRealm;
  const origin = problemOfOrigin(context.env, request);
  if (origin !== undefined) return origin;
  const format = chosenFormat(offered);
  if (format === undefined) {
    // Short, since a close frame has room for 123 bytes.
    return badRequest(`Offer one of these subprotocols: ${formats.map(({ subprotocol }) => subprotocol).join(", ")}`);
  }
  const realmRule = realmProblem(realm);
  if (realmRule !== undefined) return badRequest(`Cannot connect: the realm's name ${realmRule}`);
  const named = context.req.query("session");
  const session = named ?? crypto.randomUUID().replaceAll("-", "");
  if (!sessionPattern.test(session)) return badRequest('Cannot connect: "session" must be 32 hexadecimal digits');
  if (session === anySession) return badRequest('Cannot connect: "session" must not be all zeros, which means any');
  if (isUnset(context.env.MP_PEPPER)) return notConfigured;

  const presented = fromAuthorization(request) ?? fromSubprotocol(offered);
  if (presented === undefined) return unauthorized;
  const nameRule = nameProblem(presented.name);
  if (nameRule !== undefined) return badRequest(`Cannot connect: the client's name ${nameRule}`);

  const identity = await authenticatorOf(context.env).authenticate({ realm, ...presented });
  if (identity === undefined) {
    const failure = await problemOfFailure(context.env, request, `name ${realm} ${presented.name}`);
    return failure ?? (looksMade(presented.secret) ? unauthorized : ownPassword);
  }
  // Who doesn't know addresses can't tell a pair from the one before.
  const resumes = named !== undefined && format.addressing === "address";
  const upgrade = upgradeRequest({ identity, session, resumes, format: format.subprotocol });
  const response = await fetchObject(context.env, identity.realm, upgrade);
  if (response?.status === 101) return response;
  if (response?.status !== 401) return restarting;
  return (await problemOfFailure(context.env, request, `name ${realm} ${presented.name}`)) ?? unauthorized;
}

/** The first format that a client offers of those that there are. */
function chosenFormat(offered: readonly string[]): Format | undefined {
  return offered.map(formatOf).find((format) => format !== undefined);
}

/** The answer of a realm's object, or `undefined` where it ended meanwhile or has too much to do. */
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

/** The same, for a text that nobody can have got from this router. */
const ownPassword: Problem = {
  ...unauthorized,
  detail: "Name or secret is wrong; secrets are made by the router, so a password of your own can't be one",
};

/** Whether a text has the beginning that all secrets and invitations have. It says nothing of any client. */
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
 * A program gets an HTTP status. A page can't see one, only that the socket failed: for it, the socket is opened and
 * closed again with a code and a reason. Who sends credentials as a subprotocol is taken for a page.
 */
function refuse(problem: Problem, offered: readonly string[]): Response {
  const isPage = offered.some((token) => token.startsWith(subprotocols.credentialsPrefix));
  if (!isPage) {
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
  const echo = format?.subprotocol ?? offered.find((token) => !token.startsWith(subprotocols.credentialsPrefix));
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
