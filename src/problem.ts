import { type ProblemCode, problemStatuses } from "@messagepasser/protocol";

/** An error answer over HTTP, as RFC 9457 has it. */
export interface Problem {
  /** What kind of problem, for programs; the HTTP status follows from it. */
  readonly code: ProblemCode;
  /** What happened and what to do, for people. */
  readonly detail: string;
  /** When to try again, where that may help. */
  readonly retryAfterS?: number;
}

/** When to ask a router again that lacks a Worker secret: a person has to set it first. */
export const notConfiguredRetryS = 60;

/** The answer that carries a problem. */
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

/** What a request gets that breaks a rule; `detail` names the rule. */
export function badRequest(detail: string): Problem {
  return { code: "bad-request", detail };
}
