/**
 * Why a link was closed, as WebSocket close codes (RFC 6455 leaves 4000 to 4999 to applications).
 * 4000 to 4499: the same client may reconnect. 4500 to 4999: reconnecting can't help.
 */
export const closeCodes = {
  restarting: 4000,
  overloaded: 4001,
  replaced: 4002,
  unreadableState: 4003,
  tooSlow: 4004,
  expired: 4005,
  unauthorized: 4500,
  malformed: 4501,
  superseded: 4502,
  revoked: 4503,
  badRequest: 4504,
} as const;

/** Whether a client may reconnect after its link was closed with this code. */
export function isRetryable(closeCode: number): boolean {
  return closeCode < 4500 || closeCode > 4999;
}

/**
 * Why an open was refused or a Connection reset. 1 to 99 may come from the router, 100 to 199 from the other end, and
 * `unknownProtocol` from both. 200 and above are free for programs.
 */
export const errorCodes = {
  peerAbsent: 1,
  notAllowed: 2,
  busy: 3,
  badOpen: 4,
  /** The session that got this open first has ended. */
  peerReplaced: 5,
  unknownProtocol: 100,
  rejected: 101,
  handlerFailed: 102,
  aborted: 103,
  openTimedOut: 104,
  messageTooLarge: 105,
  violation: 106,
  tooManyConnections: 107,
  /** The end could not reach the other one for its grace. */
  graceExpired: 108,
  /** The other end sends without flow control, and faster than this end reads. */
  overrun: 109,
} as const;

/** Why a peer's link is no longer there, in a `gone` frame. */
export const goneReasons = {
  /** Its link ended or was replaced, or there is nobody at this address to talk with. */
  lost: 1,
  /** Its session has ended: it said bye, its secret was rotated or revoked, or its format has no way back. */
  ended: 2,
  /** Another session of the same name and instance took its place. */
  superseded: 3,
  /** The realm's rules let the two open nothing to each other. */
  forbidden: 4,
} as const;

/** What the router answers a refused HTTP request with: the `code` of a problem (RFC 9457), and its HTTP status. */
export const problemStatuses = {
  "bad-request": 400,
  unauthorized: 401,
  "origin-not-allowed": 403,
  "read-only": 403,
  "no-such-client": 404,
  "no-such-key": 404,
  "not-found": 404,
  "name-taken": 409,
  "key-taken": 409,
  "too-few-shards": 409,
  "too-large": 413,
  "upgrade-required": 426,
  "too-many-failures": 429,
  "too-many-connects": 429,
  internal: 500,
  "not-configured": 503,
  restarting: 503,
} as const;

export type ProblemCode = keyof typeof problemStatuses;

/** A name of a table above in kebab-case: `unknown-protocol` for `unknownProtocol`. */
export type Kebab<Name extends string> = Name extends `${infer First}${infer Rest}`
  ? `${First extends Lowercase<First> ? First : `-${Lowercase<First>}`}${Kebab<Rest>}`
  : Name;

/** The name of a code in one of the tables above, or `undefined` for a code that this version doesn't know. */
export function nameOfCode<Name extends string>(table: Readonly<Record<Name, number>>, code: number): Name | undefined {
  // The keys of a table are its names.
  return (Object.keys(table) as Name[]).find((name) => table[name] === code);
}

/** A name of a table above in kebab-case, as programs see it. */
export function kebab<Name extends string>(name: Name): Kebab<Name> {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`) as Kebab<Name>;
}

/** The error code with this name in kebab-case, or `undefined` if there is none. */
export function errorCodeNamed(text: string): number | undefined {
  return Object.entries(errorCodes).find(([name]) => kebab(name) === text)?.[1];
}
