import { closeCodes } from "@messagepasser/protocol";

/** How the router ends a link. */
export interface Closing {
  readonly code: number;
  /** For people: short and ASCII, since a close frame has room for 123 bytes. */
  readonly reason: string;
  /** Over how long those who may come back should spread; 0 where one may come at once, or never. */
  readonly delayMs: number;
}

export const closings = {
  bye: { code: 1000, reason: "Bye", delayMs: 0 },
  // Its successor is there already, or is the client itself, which waits for nobody.
  replaced: { code: closeCodes.replaced, reason: "Replaced by a new link of this session", delayMs: 0 },
  superseded: { code: closeCodes.superseded, reason: "Another client connected with this name", delayMs: 0 },
  revoked: { code: closeCodes.revoked, reason: "The secret was rotated or revoked", delayMs: 0 },
  expired: { code: closeCodes.revoked, reason: "The invitation has expired", delayMs: 0 },
  failed: { code: closeCodes.restarting, reason: "The router failed: connect again", delayMs: 2_000 },
  // Most likely nobody hears it. Who does was only asleep, alone.
  silent: { code: closeCodes.restarting, reason: "Nothing was heard of this link: connect again", delayMs: 0 },
  unreadable: {
    code: closeCodes.unreadableState,
    reason: "This link was made by another version of the router: connect again",
    // Links are found unreadable one by one after a deploy, as somebody asks for them.
    delayMs: 1_000,
  },
  // What it was sent stays in the router's memory for a while: give it time to go.
  tooSlow: { code: closeCodes.tooSlow, reason: "This link is read too slowly: connect again", delayMs: 5_000 },
} as const satisfies Record<string, Closing>;

/** How a link ends that broke a rule. */
export function malformed(problem: string): Closing {
  return { code: closeCodes.malformed, reason: problem, delayMs: 0 };
}
