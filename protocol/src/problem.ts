import { type ProblemCode, problemStatuses } from "./codes.ts";

/** What the router says of a refused HTTP request (RFC 9457). */
export interface RouterProblem {
  readonly code: ProblemCode;
  readonly detail: string;
}

/**
 * The router's own problem in an HTTP answer; `undefined` for any other answer. APIs and gates on the way write such
 * documents too, and say nothing about the router.
 */
export function routerProblemIn(status: number, contentType: string, body: string): RouterProblem | undefined {
  if (!/^application\/problem\+json *(?:;|$)/i.test(contentType)) return undefined;
  const { type, status: own, code, detail } = fieldsOf(body);
  const isOwn = type === "about:blank" && own === status && isCode(code) && problemStatuses[code] === status;
  return isOwn && typeof detail === "string" ? { code, detail } : undefined;
}

function isCode(code: unknown): code is ProblemCode {
  return typeof code === "string" && Object.hasOwn(problemStatuses, code);
}

/** What a JSON object has; nothing for any other text. */
export function fieldsOf(json: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(json)) as Readonly<Record<string, unknown>>;
  } catch {
    return {};
  }
}
