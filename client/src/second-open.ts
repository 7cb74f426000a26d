import { errorCodes, limits, utf8Length } from "@messagepasser/protocol";
import type { Channel } from "./connection/channel.ts";
import type { Message } from "./connection/message.ts";
import type { ConnectionError, ConnectionErrorCode } from "./errors.ts";

/** Failures after which another session of the peer may still take an open that it got: the first doesn't handle it, or is over. */
const undecided: ReadonlySet<ConnectionErrorCode> = new Set(["unknown-protocol", "peer-gone"]);
/** Refusals that only say that there is no other session for it. */
const vain: ReadonlySet<ConnectionErrorCode> = new Set(["unknown-protocol", "peer-absent"]);

/** How long an open waits for an answer. */
interface OpenWait {
  /** How long the session that was chosen may take until another one gets the open too. No more than `timeoutMs`. */
  readonly patienceMs: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * The channel that is accepted first, of an open and of a second one. A session whose link has died unnoticed doesn't
 * answer, and one may stop handling the protocol while an open is on its way. Then another session of the peer gets the open
 * too. Whichever isn't accepted first is withdrawn.
 *
 * @param openAnother opens the same to any session of the peer but this one; `undefined` where no other session may get it
 * @throws what the first channel fails with, or the second one that came after it, or the signal's reason if that fired first
 */
export async function firstAccepted(
  channel: Channel,
  { patienceMs, timeoutMs, signal }: OpenWait,
  openAnother: ((but: string) => Channel) | undefined,
): Promise<Channel> {
  const won = Promise.withResolvers<Channel>();
  const { after } = channel.start.shared.clock;
  let second: Channel | undefined;
  let failure: ConnectionError | undefined;
  let winner: Channel | undefined;
  const giveUp = (code: ConnectionErrorCode, what: string): void => {
    for (const each of [channel, second]) each?.reset(errorCodes.openTimedOut, "", channel.error(code, what));
  };
  const timeOut = (): void => {
    giveUp("open-timed-out", `no answer within ${timeoutMs} ms`);
  };
  const openSecond = (): void => {
    const { peer, hasStrayed = false } = channel.start.home;
    // The open may have got to the other session before, or get there yet: its handler must not run again.
    if (second !== undefined || peer === undefined || hasStrayed || openAnother === undefined) return;
    const another = (second = openAnother(peer.session));
    another.accepted.then(
      () => {
        won.resolve(another);
      },
      (error: ConnectionError) => {
        // There is no other session, or it refuses: the first may still accept.
        if (failure !== undefined) won.reject(vain.has(error.code) ? failure : error);
      },
    );
  };
  // One timer at a time, since each open makes one.
  let cancelTimer =
    openAnother === undefined
      ? after(timeoutMs, timeOut)
      : after(patienceMs, () => {
          cancelTimer = after(timeoutMs - patienceMs, timeOut);
          openSecond();
        });
  const onAbort = (): void => {
    giveUp("aborted", "the wait for an answer was aborted");
  };
  signal?.addEventListener("abort", onAbort);
  channel.accepted.then(
    () => {
      won.resolve(channel);
    },
    (error: ConnectionError) => {
      failure = error;
      if (error.code === "unknown-protocol") openSecond();
      if (second?.isOver !== false || !undecided.has(error.code)) won.reject(error);
    },
  );
  try {
    return (winner = await won.promise);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    cancelTimer();
    signal?.removeEventListener("abort", onAbort);
    for (const other of [channel, second])
      if (other !== undefined && other !== winner && !other.isOver)
        other.reset(errorCodes.openTimedOut, "", other.error("open-timed-out", "another session was faster"));
  }
}

/** Whether all of a first message goes with its open. The rest of a longer one follows once it is accepted, so that it can't be sent twice. */
export function isOneFrame(first: Message | undefined): boolean {
  if (first === undefined) return true;
  const mostBytes = limits.maxPayloadBytes;
  return first.length <= mostBytes && (typeof first !== "string" || utf8Length(first) <= mostBytes);
}
