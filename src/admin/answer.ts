import type { Unconfirmed } from "@messagepasser/protocol/admin";

/** Answers a change that all shards of the realm have to know. @param status if all have confirmed it. 204: no body */
export function changed(answer: Unconfirmed, status: 200 | 201 | 204): Response {
  if (answer.unconfirmedShards !== undefined) return Response.json(answer, { status: 202 });
  return status === 204 ? new Response(null, { status }) : Response.json(answer, { status });
}
