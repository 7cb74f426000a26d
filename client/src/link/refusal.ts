import { closeCodes, foreignAnswer, type ProblemCode, type problemStatuses } from "@messagepasser/protocol";
import type { SocketEnd } from "./platform.ts";

/** A problem's HTTP status and its code. */
type Refusal = { [Code in ProblemCode]: `${(typeof problemStatuses)[Code]} ${Code}` }[ProblemCode];

/** The close codes that stand for the problems with which the router refuses a client. */
const closeCodesOfProblems = new Map<string, number>([
  ["401 unauthorized", closeCodes.unauthorized],
  ["400 bad-request", closeCodes.badRequest],
  ["403 origin-not-allowed", closeCodes.badRequest],
  ["426 upgrade-required", closeCodes.badRequest],
  ["404 not-found", closeCodes.badRequest],
  ["429 too-many-failures", closeCodes.overloaded],
  ["429 too-many-connects", closeCodes.overloaded],
  ["503 not-configured", closeCodes.overloaded],
  ["503 restarting", closeCodes.overloaded],
] satisfies [Refusal, number][]);

/**
 * The end that an HTTP answer means for a socket that didn't open. Only the router's own problem (RFC 9457) says
 * something about the router: APIs and gates on the way write such documents too.
 *
 * @param status the status and its text, as in "502 Bad Gateway".
 * @param header the value of a header, by its name in lower case.
 */
export function refusalIn(
  status: string,
  header: (name: string) => string | string[] | null | undefined,
  body: string,
): SocketEnd {
  const delayMs = 1_000 * (Number(header("retry-after")) || 0);
  if (/^application\/problem\+json *(?:;|$)/i.test(String(header("content-type")))) {
    const { type, status: own, code, detail } = fieldsOf(body);
    const isOwn = type === "about:blank" && own === parseInt(status, 10) && typeof code === "string";
    const closeCode = isOwn ? closeCodesOfProblems.get(`${own} ${code}`) : undefined;
    if (closeCode !== undefined && typeof detail === "string") return { closeCode, reason: detail, delayMs };
  }
  const location = header("location");
  const reason = foreignAnswer(status, typeof location === "string" ? location : undefined);
  return { closeCode: 1006, reason, delayMs };
}

/** What a JSON object has; nothing for any other text. */
export function fieldsOf(json: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(json)) as Readonly<Record<string, unknown>>;
  } catch {
    return {};
  }
}
