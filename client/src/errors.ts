import { closeCodes, errorCodes, isRetryable, nameOfCode } from "@messagepasser/protocol";
import type { SocketEnd } from "./link/platform.ts";

/** Anything that goes wrong here. `code` is stable and meant for programs; the message is for people. */
export abstract class MessagePasserError extends Error {
  abstract override readonly name: string;
  /** In kebab-case; the README has a table. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** Whether the same call may succeed later with nothing changed. */
  abstract shouldRetry(): boolean;
}

/** The client can't reach the router, is not let in, or lost its link. */
export class LinkError extends MessagePasserError {
  override readonly name = "LinkError";
  readonly #mayRetry: boolean;

  constructor(code: string, message: string, mayRetry = false) {
    super(code, message);
    this.#mayRetry = mayRetry;
  }

  override shouldRetry(): boolean {
    return this.#mayRetry;
  }
}

/** A Connection could not be opened, or ended before both sides had closed it. */
export class ConnectionError extends MessagePasserError {
  override readonly name = "ConnectionError";
  /** The name of the client at the other end. */
  readonly peer: string;
  /** The Connection's protocol. */
  readonly protocol: string;

  constructor(
    code: string,
    message: string,
    where: { readonly peer: string; readonly protocol: string },
    options?: ErrorOptions,
  ) {
    super(code, message, options);
    this.peer = where.peer;
    this.protocol = where.protocol;
  }

  override shouldRetry(): boolean {
    return retryableConnectionCodes.has(this.code);
  }
}

const retryableConnectionCodes = new Set([
  "peer-absent",
  "busy",
  "open-timed-out",
  "peer-gone",
  "link-lost",
  "too-many-connections",
]);

/** @internal The stable code for a number that came over the wire in a reject, reset or refused frame. */
export function connectionCode(code: number): string {
  // Two ways for a peer's session to be of no use any more, which make no difference to programs.
  if (code === errorCodes.peerReplaced || code === errorCodes.lapsed) return "peer-gone";
  return kebab(nameOfCode(errorCodes, code) ?? `code-${code}`);
}

/** @internal What the end of a socket means. @param doing the beginning of the sentence. @param wasIn whether the client was let in before. */
export function linkErrorOf(end: SocketEnd, doing: string, wasIn: boolean): LinkError {
  const named = nameOfCode(closeCodes, end.closeCode) ?? nameOfStatus(end.httpStatus);
  const code = kebab(named ?? (wasIn ? "linkLost" : "unreachable"));
  const isTerminal =
    end.httpStatus === undefined ? !isRetryable(end.closeCode) : end.httpStatus < 500 && end.httpStatus !== 429;
  const reason = end.reason === "" ? `the socket closed with code ${end.closeCode}` : end.reason;
  return new LinkError(code, `${doing}: ${reason}`, !isTerminal);
}

function nameOfStatus(status = 0): keyof typeof closeCodes | undefined {
  if (status === 401) return "unauthorized";
  if (status === 429 || status === 503) return "overloaded";
  return status >= 400 && status < 500 ? "badRequest" : undefined;
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
