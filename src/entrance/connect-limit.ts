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
 * Invitations that an object refused lately, in this Worker's memory: used ones above all. Their guests count apart, so that
 * several of them together keep no other guest out.
 */
const refusedInvitations = new Set<string>();

/** Notes that an object refused a guest. Forgets the oldest invitation where too many were refused. */
export function noteRefusal(admission: Admission): void {
  const [key] = keysOf(admission);
  if (admission.invitation === undefined || key === undefined) return;
  const [oldest] = refusedInvitations;
  if (oldest !== undefined && refusedInvitations.size >= routerLimits.maxRefusedInvitations)
    refusedInvitations.delete(oldest);
  refusedInvitations.add(key);
}

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
  const own = `invitation ${realm} ${revision} ${nonce} ${host}`;
  const among = refusedInvitations.has(own) ? "refused" : "guests";
  return [...Array<string>(invitationWeight).fill(own), `${among} ${realm} ${revision} ${host}`];
}
