import type { TokenGrant } from "./link.ts";
import { patternOf } from "./pattern.ts";

// What a token narrows. A client without a token is narrowed by rules only.

/** Whether a token lets its holder open a protocol to a peer. */
export function opensBy(token: TokenGrant | undefined, peer: string, protocol: string): boolean {
  const open = token?.rights.open;
  return open?.some((each) => patternOf(each.peer).fits(peer) && patternOf(each.protocol).fits(protocol)) ?? true;
}

/** Whether a token lets its holder open anything to a peer. */
export function mayReach(token: TokenGrant | undefined, peer: string): boolean {
  return token?.rights.open?.some((each) => patternOf(each.peer).fits(peer)) ?? true;
}

/** Whether a token lets others open a protocol to its holder. */
export function servesBy(token: TokenGrant | undefined, protocol: string): boolean {
  return token === undefined || (token.rights.serve ?? []).some((each) => patternOf(each).fits(protocol));
}

/** Whether a token lets nobody open anything to its holder. */
export function servesNothing(token: TokenGrant | undefined): boolean {
  return token !== undefined && (token.rights.serve ?? []).length === 0;
}
