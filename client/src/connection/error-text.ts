import { errorCodes, goneReasons, nameOfCode } from "@messagepasser/protocol";

/** How an error describes a peer whose session has ended, by the reason of `gone`. */
export const endings: ReadonlyMap<number, string> = new Map([
  [goneReasons.ended, "ended its session"],
  [goneReasons.superseded, "was replaced by another session of its instance"],
  [goneReasons.forbidden, "may not talk with this client any more"],
]);

/** Said where the realm's rules have changed under a Connection. */
export const notAllowed = "the router's owner no longer allows it";

/** Explains a code from the other end to people. Quotes the reason, since the other end wrote it. */
export function sentence(peer: string, code: number, reason: string): string {
  const quoted = reason === "" ? "" : `: ${JSON.stringify(reason)}`;
  const name = nameOfCode(errorCodes, code);
  switch (name) {
    case "unknownProtocol":
      return `"${peer}" does not handle this protocol`;
    case "rejected":
      return `"${peer}" refused it${quoted}`;
    case "handlerFailed":
      return `the handler at "${peer}" failed`;
    case "aborted":
      return `"${peer}" aborted it${quoted}`;
    case "openTimedOut":
      return `"${peer}" waited too long for the answer to its open`;
    case "busy":
      return `"${peer}" can't take it now${quoted}`;
    case "tooManyConnections":
      return `"${peer}" takes no more Connections${quoted}`;
    case "graceExpired":
      return `"${peer}" has waited too long for this end to come back`;
    case "messageTooLarge":
      return `"${peer}" takes no message of that size${quoted}`;
    case "violation":
      return `"${peer}" says that this end broke the protocol${quoted}`;
    case "overrun":
      return `"${peer}" has no room for what this end sends${quoted}`;
    case "notAllowed":
      return notAllowed;
    // The first three are the router's, which says them with a sentence of its own.
    case "peerAbsent":
    case "badOpen":
    case "peerReplaced":
    case undefined:
      return `"${peer}" ended it with code ${code}${quoted}`;
  }
}
