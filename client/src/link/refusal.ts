import { closeCodes, foreignAnswer, type ProblemCode } from "@messagepasser/protocol";
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
 * something about the router.
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
  if (header("content-type") === "application/problem+json") {
    try {
      const { code, detail } = Object(JSON.parse(body)) as { readonly code: unknown; readonly detail: unknown };
      const closeCode = closeCodesOfProblems.get(code);
      if (closeCode !== undefined) return { closeCode, reason: String(detail), delayMs };
    } catch {
      // Something else's answer, as below.
    }
  }
  const location = header("location");
  const reason = foreignAnswer(status, typeof location === "string" ? location : undefined);
  return { closeCode: 1006, reason, delayMs };
}
