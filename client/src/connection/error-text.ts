import { errorCodes, limits } from "@messagepasser/protocol";

/** Said where the realm's rules have changed under a Connection. */
export const notAllowed = "the router's owner no longer allows it";

/** What a code from the other end means, for people. Its reason is quoted, since it is somebody else's text. */
export function sentence(peer: string, code: number, reason: string): string {
  const quoted = reason === "" ? "" : `: ${JSON.stringify(reason)}`;
  switch (code) {
    case errorCodes.unknownProtocol:
      return `"${peer}" does not handle this protocol`;
    case errorCodes.rejected:
      return `"${peer}" refused it${quoted}`;
    case errorCodes.handlerFailed:
      return `the handler at "${peer}" failed`;
    case errorCodes.aborted:
      return `"${peer}" aborted it${quoted}`;
    case errorCodes.openTimedOut:
      return `"${peer}" waited too long for the answer to its open`;
    case errorCodes.busy:
      return `"${peer}" can't take it now${quoted}`;
    case errorCodes.tooManyConnections:
      return `"${peer}" takes no more Connections${quoted}`;
    case errorCodes.lapsed:
      return `"${peer}" has waited too long for this end to come back`;
    case errorCodes.messageTooLarge:
      return `"${peer}" takes no message of that size${quoted}`;
    case errorCodes.violation:
      return `"${peer}" says that this end broke the protocol${quoted}`;
    case errorCodes.notAllowed:
      return notAllowed;
    default:
      return `"${peer}" ended it with code ${code}${quoted}`;
  }
}

/** A reason that fits into a frame. A character is at most 3 bytes for each of its UTF-16 units. */
export function shortened(reason: string): string {
  return reason.slice(0, Math.floor(limits.maxReasonBytes / 3)).toWellFormed();
}
