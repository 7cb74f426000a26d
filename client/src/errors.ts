import { closeCodes, errorCodes, isRetryable, type Kebab, kebab, nameOfCode } from "@messagepasser/protocol";
import type { SocketEnd } from "./link/platform.ts";

// Codes are written out, since the types of the published package can't refer to the protocol's package. The compiler
// complains if one of the protocol's tables has a code that isn't here. README.md has them for people.

/** Why a client couldn't reach the router, was not let in, or lost its link. The README says what each code means. */
export type LinkErrorCode =
  | "restarting"
  | "overloaded"
  | "replaced"
  | "unreadable-state"
  | "too-slow"
  | "expired"
  | "unauthorized"
  | "malformed"
  | "superseded"
  | "revoked"
  | "bad-request"
  // The client's own.
  | "unreachable"
  | "no-secret"
  | "link-lost"
  | "closed";

/** For each code of a ConnectionError: whether opening another Connection may succeed with nothing changed. */
export const connectionRetries = {
  "peer-absent": true,
  "not-allowed": false,
  busy: true,
  "bad-open": false,
  "unknown-protocol": false,
  rejected: false,
  "handler-failed": false,
  aborted: false,
  "open-timed-out": true,
  "message-too-large": false,
  violation: false,
  "too-many-connections": true,
  overrun: false,
  // The client's own.
  "peer-gone": true,
  "link-lost": true,
  closed: false,
} satisfies Record<Kebab<Exclude<keyof typeof errorCodes, GoneName>> | "peer-gone" | "link-lost" | "closed", boolean>;

/** Two codes of the wire for a peer that is gone, which programs need not tell apart: both are "peer-gone". */
type GoneName = "peerReplaced" | "graceExpired";

/**
 * Why a Connection could not be opened, or ended early. The README says what each code means. `code-200` and above are
 * codes of the other end's own.
 *
 * @useDeclaredType
 */
export type ConnectionErrorCode = keyof typeof connectionRetries | `code-${number}`;

/** Every error of this package but TypeError. `code` is stable and meant for programs; `message` is for people. */
export abstract class MessagePasserError extends Error {
  /** The name of the error's class. */
  abstract override readonly name: string;
  /** The reason, in kebab-case. */
  abstract readonly code: LinkErrorCode | ConnectionErrorCode;

  /** Whether the same call may succeed later although nothing was changed. */
  abstract shouldRetry(): boolean;
}

/** The client couldn't reach the router, was not let in, or lost its link. */
export class LinkError extends MessagePasserError {
  /** Always `"LinkError"`. */
  override readonly name = "LinkError";
  override readonly code: LinkErrorCode;
  readonly #mayRetry: boolean;

  constructor(code: LinkErrorCode, message: string, mayRetry = false, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.#mayRetry = mayRetry;
  }

  override shouldRetry(): boolean {
    return this.#mayRetry;
  }
}

/** A Connection could not be opened, or ended before both ends had closed it. */
export class ConnectionError extends MessagePasserError {
  /** Always `"ConnectionError"`. */
  override readonly name = "ConnectionError";
  override readonly code: ConnectionErrorCode;
  /** The name of the client at the other end. */
  readonly peer: string;
  /** The Connection's protocol. */
  readonly protocol: string;

  constructor(
    code: ConnectionErrorCode,
    message: string,
    where: { readonly peer: string; readonly protocol: string },
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.code = code;
    this.peer = where.peer;
    this.protocol = where.protocol;
  }

  override shouldRetry(): boolean {
    const retries: Partial<Record<ConnectionErrorCode, boolean>> = connectionRetries;
    return retries[this.code] ?? false;
  }
}

/** @internal The stable code for a number that came over the wire in a reject, reset or refused frame. */
export function connectionCode(code: number): ConnectionErrorCode {
  const name = nameOfCode(errorCodes, code);
  if (name === undefined) return `code-${code}`;
  return name === "peerReplaced" || name === "graceExpired" ? "peer-gone" : kebab(name);
}

/**
 * What the end of a socket means.
 *
 * @internal
 * @param doing the beginning of the sentence.
 * @param wasIn whether the client was let in before.
 */
export function linkErrorOf(end: SocketEnd, doing: string, wasIn: boolean): LinkError {
  const { closeCode } = end;
  const name = nameOfCode(closeCodes, closeCode);
  const own = end.isWithoutSecret === true ? "no-secret" : wasIn ? "link-lost" : "unreachable";
  const code = name === undefined ? own : kebab(name);
  const reason = end.reason === "" ? silentEnd(closeCode, wasIn) : end.reason;
  const options = end.cause === undefined ? undefined : { cause: end.cause };
  return new LinkError(code, `${doing}: ${reason}`, isRetryable(closeCode), options);
}

function silentEnd(closeCode: number, wasIn: boolean): string {
  const what = `the socket closed with code ${closeCode}`;
  return wasIn ? what : `${what} and no reason: ${unseen}`;
}

/** @internal What to check where a browser tells a page nothing. */
export const unseen = "check the URL, the network, and whether the router lets this page connect";
