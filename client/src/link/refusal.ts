import { closeCodes, foreignAnswer, routerProblemIn } from "@messagepasser/protocol";
import type { SocketEnd } from "./platform.ts";

const { badRequest, overloaded, unauthorized } = closeCodes;

/** The close codes that stand for the problems with which the router refuses a client, by their HTTP status. */
const closeCodesByStatus: Readonly<Record<number, number>> = {
  400: badRequest,
  401: unauthorized,
  403: badRequest,
  404: badRequest,
  426: badRequest,
  429: overloaded,
  503: overloaded,
};

/**
 * The end that an HTTP answer means for a socket that didn't open. Only the router's own problem says something about the
 * router.
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
  const code = parseInt(status, 10);
  const problem = routerProblemIn(code, String(header("content-type")), body);
  const closeCode = closeCodesByStatus[code];
  if (problem !== undefined && closeCode !== undefined) return { closeCode, reason: problem.detail, delayMs };
  const location = header("location");
  const reason = foreignAnswer(status, typeof location === "string" ? location : undefined);
  return { closeCode: 1006, reason, delayMs };
}
