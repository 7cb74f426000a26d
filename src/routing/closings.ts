import { closeCodes, routerLimits } from "@messagepasser/protocol";

/** Why and how the router ends a link. */
export interface Closing {
  readonly code: number;
  /** One sentence for people, short since a close frame has room for 123 bytes. */
  readonly reason: string;
  /** Milliseconds over which clients should spread their return; 0 for at once, or for never. */
  readonly delayMs: number;
}

export const closings = {
  bye: { code: 1000, reason: "Bye", delayMs: 0 },
  // The client or its successor has the new link already, so nobody has to wait.
  replaced: { code: closeCodes.replaced, reason: "Replaced by a new link of this session", delayMs: 0 },
  superseded: {
    code: closeCodes.superseded,
    reason: "Another session of this name and instance connected",
    delayMs: 0,
  },
  revoked: { code: closeCodes.revoked, reason: "The secret was rotated or revoked", delayMs: 0 },
  uninvited: {
    code: closeCodes.revoked,
    reason: "The realm's rules no longer let the client that invited you have guests",
    delayMs: 0,
  },
  expired: { code: closeCodes.revoked, reason: "The invitation has expired", delayMs: 0 },
  tokenExpired: { code: closeCodes.expired, reason: "The token has expired: connect again with a new one", delayMs: 0 },
  tokenRevoked: { code: closeCodes.revoked, reason: "The token or its key was revoked", delayMs: 0 },
  failed: { code: closeCodes.restarting, reason: "The router failed: connect again", delayMs: 2_000 },
  // What the client has asked may have been done or not, and no answer comes.
  unanswered: {
    code: closeCodes.restarting,
    reason: "Another part of the realm has failed: connect again",
    delayMs: 0,
  },
  // Most likely no client reads this. A client that does was asleep, and comes back alone.
  silent: { code: closeCodes.restarting, reason: "Nothing was heard of this link: connect again", delayMs: 0 },
  unreadable: {
    code: closeCodes.unreadableState,
    reason: "This link was made by another version of the router: connect again",
    // After a deploy links are found unreadable one by one, when they are looked up.
    delayMs: 1_000,
  },
  tooManyRequests: {
    code: closeCodes.overloaded,
    reason: "Too many lists, watches and services at once: wait, then connect again",
    delayMs: 5_000,
  },
  tooManyWatches: {
    code: closeCodes.overloaded,
    reason: "Too many watches: end some, then ask again",
    delayMs: 5_000,
  },
  overloaded: {
    code: closeCodes.overloaded,
    reason: "This part of the realm has too much to do: wait, then connect again",
    delayMs: 1_000 * routerLimits.overloadedRetryS,
  },
  // What was sent to the link stays in the router's memory for a while.
  tooSlow: { code: closeCodes.tooSlow, reason: "This link is read too slowly: connect again", delayMs: 5_000 },
} as const satisfies Record<string, Closing>;

/**
 * The end of the links of this many holders of tokens at once. Each client asks its application for another token, so they
 * come back no faster than the holders of one key may in the long run.
 */
export function ofHolders(closing: Closing, count: number): Closing {
  return { ...closing, delayMs: Math.floor(((count - 1) * 1_000) / routerLimits.maxHolderJoinsPerSecond) };
}

/**
 * The end of the links of this many clients at once whose home is another shard now. They come back no faster than one
 * object can take them.
 */
export function ofMoved(count: number): Closing {
  const delayMs = Math.floor((count * 1_000) / routerLimits.movedJoinsPerSecond);
  return { code: closeCodes.restarting, reason: "The realm has one more shard: connect again", delayMs };
}

/** The end of a link that broke a rule of the protocol. */
export function malformed(problem: string): Closing {
  return { code: closeCodes.malformed, reason: problem, delayMs: 0 };
}
