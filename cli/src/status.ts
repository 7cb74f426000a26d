import { constants } from "node:os";
import type { ProblemCode } from "@messagepasser/protocol";
import { type ConnectionErrorCode, type LinkErrorCode, MessagePasserError } from "messagepasser";

/** Exit statuses. Scripts depend on them: a number never changes its meaning. */
export const statuses = {
  done: 0,
  failed: 1,
  usage: 2,
  notLetIn: 3,
  peerGone: 4,
  refused: 5,
  unreachable: 6,
} as const;

export type Status = (typeof statuses)[keyof typeof statuses];

/** What each status means, for `mp --help`. cli/README.md has the same table. */
export const statusMeanings: Readonly<Record<Status, string>> = {
  0: "done",
  1: "the Connection failed, or another failure",
  2: "wrong usage or settings",
  3: "not admitted: the name, secret or admin token is wrong or was revoked",
  4: "the peer is absent or has left",
  5: "refused: by the peer or by the realm's rules",
  6: "the router can't be reached, or no answer in time",
};

/** A code of an error that the client throws, or of a problem that the admin API answers with. */
type Code = LinkErrorCode | ConnectionErrorCode | ProblemCode;

/** The exit status for each code. Codes of the other end's own are not here. */
const statusByCode: Readonly<Record<Exclude<Code, `code-${number}`>, Status>> = {
  // The link to the router.
  unauthorized: statuses.notLetIn,
  revoked: statuses.notLetIn,
  "bad-request": statuses.usage,
  superseded: statuses.failed,
  malformed: statuses.failed,
  closed: statuses.failed,
  unreachable: statuses.unreachable,
  "no-secret": statuses.notLetIn,
  "link-lost": statuses.unreachable,
  restarting: statuses.unreachable,
  overloaded: statuses.unreachable,
  replaced: statuses.unreachable,
  "unreadable-state": statuses.unreachable,
  "too-slow": statuses.unreachable,
  expired: statuses.unreachable,
  // A Connection.
  "peer-absent": statuses.peerGone,
  "peer-gone": statuses.peerGone,
  "unknown-protocol": statuses.refused,
  rejected: statuses.refused,
  "not-allowed": statuses.refused,
  busy: statuses.refused,
  "too-many-connections": statuses.refused,
  "bad-open": statuses.usage,
  "open-timed-out": statuses.unreachable,
  "handler-failed": statuses.failed,
  aborted: statuses.failed,
  "message-too-large": statuses.failed,
  violation: statuses.failed,
  overrun: statuses.failed,
  // The admin API.
  "not-found": statuses.usage,
  "too-large": statuses.usage,
  "upgrade-required": statuses.usage,
  "no-such-client": statuses.failed,
  "name-taken": statuses.failed,
  "no-such-key": statuses.failed,
  "key-taken": statuses.failed,
  "too-few-shards": statuses.failed,
  "read-only": statuses.notLetIn,
  "origin-not-allowed": statuses.notLetIn,
  "too-many-failures": statuses.unreachable,
  "too-many-connects": statuses.unreachable,
  "not-configured": statuses.failed,
  internal: statuses.unreachable,
};

/** The exit status for a code, or `undefined` for one that this version doesn't know. */
export function statusOfCode(code: string): Status | undefined {
  // The keys of the table are of this type.
  return Object.hasOwn(statusByCode, code) ? statusByCode[code as keyof typeof statusByCode] : undefined;
}

/** The command can't do what it was asked for. The message is one sentence for people. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly status: Status;

  constructor(status: Status, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

/** What an error says, or whatever else was thrown. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A signal stopped the command. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
  /** 128 and the signal's number, as shells do it. */
  readonly status: number;
  /** Whether nobody needs to be told. ssh ends a good session so, and a terminal that was closed shows nothing. */
  readonly isQuiet: boolean;

  constructor(signal: NodeJS.Signals) {
    super(`Stopped by ${signal}`);
    this.status = 128 + constants.signals[signal];
    this.isQuiet = signal === "SIGHUP";
  }
}

/** The reader of standard output has gone, as `head` does when it has enough. Nobody needs to be told. */
export class ReaderGone extends Error {
  override readonly name = "ReaderGone";
  readonly status: Status;
  readonly isQuiet = true;

  /** @param status "done" for a report, and "failed" if bytes of a peer are lost. */
  constructor(status: Status, cause: unknown) {
    super("The reader of standard output has gone", { cause });
    this.status = status;
  }
}

/** The exit status for an error. */
export function statusOf(error: unknown): number {
  if (error instanceof Failure || error instanceof Interrupted || error instanceof ReaderGone) return error.status;
  if (error instanceof MessagePasserError) return statusOfCode(error.code) ?? statuses.failed;
  return statuses.failed;
}
