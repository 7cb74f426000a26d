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
 * How often a guest counts against its own invitation before it counts among all guests of its host: one invitation, used up
 * or not, leaves three quarters to the others.
 */
const invitationWeight = 4;

/**
 * Counts a link or a ticket of a client whose credentials carry a valid MAC, before anything is looked up for it. Guests
 * count together, apart from the client that invited them: a guest can't keep its host out. Each secret of a client has a
 * count of its own, so that the holder of a former secret can't keep the client out.
 *
 * @returns the answer to one too many, or `undefined`.
 */
export async function countConnect({ CONNECTS: connects }: Env, admission: Admission): Promise<Problem | undefined> {
  if (connects === undefined) return undefined;
  try {
    // In turn: an invitation that is tried too often doesn't count among the guests.
    for (const key of keysOf(admission)) if (!(await connects.limit({ key })).success) return tooManyConnects;
  } catch (error) {
    console.warn("Cannot count a link", error);
  }
  return undefined;
}

function keysOf({ realm, name, credential, invitation }: Admission): string[] {
  if (invitation === undefined) return [`client ${realm} ${credential?.revision ?? 0} ${name}`];
  const { host, revision, nonce } = invitation;
  const own = Array<string>(invitationWeight).fill(`invitation ${realm} ${revision} ${nonce} ${host}`);
  return [...own, `guests ${realm} ${revision} ${host}`];
}
