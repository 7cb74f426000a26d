import { dataFlags, errorCodes } from "@messagepasser/protocol";
import type { Channel } from "./connection/channel.ts";
import type { Message } from "./connection/message.ts";
import type { ConnectionErrorCode } from "./errors.ts";
import { after } from "./waiting.ts";

/** How long an open waits for an answer. */
interface OpenWait {
  /** How long the session that was chosen may take until another one gets the open too. No more than `timeoutMs`, or Infinity. */
  readonly patienceMs: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * The channel that is accepted first, of an open and of a second one. A session whose link has died unnoticed doesn't
 * answer, so after a while another session of the peer gets the open too. Whichever isn't accepted first is withdrawn.
 *
 * @param openAnother opens the same to any session of the peer but this one
 * @throws what the first channel fails with, or the signal's reason if the signal fired first
 */
export async function firstAccepted(
  channel: Channel,
  { patienceMs, timeoutMs, signal }: OpenWait,
  openAnother: (silent: string, first: Message | undefined) => Channel,
): Promise<Channel> {
  const won = Promise.withResolvers<Channel>();
  let second: Channel | undefined;
  let winner: Channel | undefined;
  const giveUp = (code: ConnectionErrorCode, what: string): void => {
    channel.reset(errorCodes.openTimedOut, "", channel.error(code, what));
  };
  const timeOut = (): void => {
    giveUp("open-timed-out", `no answer within ${timeoutMs} ms`);
  };
  // One timer at a time, since each open makes one.
  let cancelTimer =
    patienceMs === Infinity
      ? after(timeoutMs, timeOut)
      : after(patienceMs, () => {
          cancelTimer = after(timeoutMs - patienceMs, timeOut);
          const another = secondOf(channel, openAnother);
          second = another;
          another?.accepted.then(
            () => {
              won.resolve(another);
            },
            // There is no other session, or it refuses: the first may still accept.
            () => undefined,
          );
        });
  const onAbort = (): void => {
    giveUp("aborted", "the wait for an answer was aborted");
  };
  signal?.addEventListener("abort", onAbort);
  channel.accepted.then(() => {
    won.resolve(channel);
  }, won.reject);
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

/** The same open to another session, if that can be told from the first one and can get the whole first message. */
function secondOf(
  { start, sender }: Channel,
  openAnother: (silent: string, first: Message | undefined) => Channel,
): Channel | undefined {
  const { peer } = start.home;
  const { flags = dataFlags.last, payload } = sender.first ?? {};
  // Not known yet; or the rest of the first message follows once it is accepted.
  if (peer === undefined || (flags & dataFlags.last) === 0) return undefined;
  const isText = (flags & dataFlags.text) !== 0;
  return openAnother(peer.session, isText ? new TextDecoder().decode(payload) : payload);
}
