import { type ProblemCode, problemStatuses } from "@messagepasser/protocol";

/** An error over HTTP (RFC 9457). */
export interface Problem {
  /** The kind of problem, for programs; it implies the HTTP status. */
  readonly code: ProblemCode;
  /** What happened and what to do: one sentence for people. */
  readonly detail: string;
  /** In how many seconds to try again, where that may help. */
  readonly retryAfterS?: number;
}

/** In how many seconds to ask a router again that lacks a Worker secret: a person has to set it first. */
export const notConfiguredRetryS = 60;

/** The HTTP response for a problem. */
export function problemResponse(problem: Problem, headers: Record<string, string> = {}): Response {
  const { code, detail, retryAfterS } = problem;
  const status = problemStatuses[code];
  return Response.json(
    { type: "about:blank", status, code, detail },
    {
      status,
      headers: {
        ...headers,
        ...(retryAfterS !== undefined && { "retry-after": String(retryAfterS) }),
        "content-type": "application/problem+json",
        "cache-control": "no-store",
      },
    },
  );
}

/** Ends a request with a problem, from anywhere inside a handler. */
export class ProblemError extends Error {
  override readonly name = "ProblemError";
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

/** The problem of a request that breaks a rule. @param detail names the rule */
export function badRequest(detail: string): Problem {
  return { code: "bad-request", detail };
}
