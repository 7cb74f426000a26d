import { closeCodes, foreignAnswer, type ProblemCode, problemStatuses } from "@messagepasser/protocol";
import type { SocketEnd } from "./platform.ts";

/** The close codes that stand for the problems with which the router refuses a client. */
const closeCodesOfProblems = new Map<unknown, number>([
  ["unauthorized", closeCodes.unauthorized],
  ["bad-request", closeCodes.badRequest],
  ["origin-not-allowed", closeCodes.badRequest],
  ["upgrade-required", closeCodes.badRequest],
  ["not-found", closeCodes.badRequest],
  ["too-many-failures", closeCodes.overloaded],
  ["too-many-connects", closeCodes.overloaded],
  ["not-configured", closeCodes.overloaded],
  ["restarting", closeCodes.overloaded],
] satisfies [ProblemCode, number][]);

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
    const closeCode = closeCodesOfProblems.get(code);
    // The table has codes of the router only.
    const isFit = own === parseInt(status, 10) && own === problemStatuses[code as ProblemCode];
    if (closeCode !== undefined && type === "about:blank" && isFit && typeof detail === "string")
      return { closeCode, reason: detail, delayMs };
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
