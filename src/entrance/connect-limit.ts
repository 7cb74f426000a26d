import { routerLimits } from "@messagepasser/protocol";
import type { Env } from "../env.ts";
import type { Problem } from "../problem.ts";
import type { Admission } from "../realm/admission.ts";

const tooManyConnects: Problem = {
  code: "too-many-connects",
  detail: "This client connects too often: try again in a few seconds",
  retryAfterS: routerLimits.connectsPeriodS,
};

/**
 * Counts a link or a ticket of a client whose credentials carry a valid MAC, before anything is looked up for it. Guests
 * count together, apart from the client that invited them: a guest can't keep its host out. Each secret of a client has a
 * count of its own, so that the holder of a former secret can't keep the client out.
 *
 * @returns the answer to one too many, or `undefined`.
 */
export async function countConnect(
  { CONNECTS: connects }: Env,
  { realm, name, credential, invitation }: Admission,
): Promise<Problem | undefined> {
  if (connects === undefined) return undefined;
  const revision = (credential ?? invitation)?.revision ?? 0;
  const key =
    invitation === undefined ? `client ${realm} ${revision} ${name}` : `guests ${realm} ${revision} ${invitation.host}`;
  try {
    return (await connects.limit({ key })).success ? undefined : tooManyConnects;
  } catch (error) {
    console.warn("Cannot count a link", error);
    return undefined;
  }
}
