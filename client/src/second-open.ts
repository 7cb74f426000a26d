import { dataFlags, errorCodes } from "@messagepasser/protocol";
import type { Channel } from "./connection/channel.ts";
import type { Message } from "./connection/message.ts";
import { after } from "./waiting.ts";

/**
 * The channel that is accepted first, of an open and of a second one. A session whose link has died unnoticed doesn't
 * answer, so after a while another session of the peer gets the open too. Whichever isn't accepted first is withdrawn.
 *
 * @param afterMs how long the session that was chosen may take
 * @param openAnother opens the same to any session of the peer but this one
 * @throws what the first channel fails with
 */
export async function firstAccepted(
  channel: Channel,
  afterMs: number,
  openAnother: (silent: string, first: Message | undefined) => Channel,
): Promise<Channel> {
  const won = Promise.withResolvers<Channel>();
  let second: Channel | undefined;
  let winner: Channel | undefined;
  const cancelTimer = after(afterMs, () => {
    const { peer } = channel.start.home;
    const { flags = dataFlags.last, payload } = channel.sender.first ?? {};
    // Not known yet; or the rest of the first message follows once it is accepted.
    if (peer === undefined || (flags & dataFlags.last) === 0) return;
    const isText = (flags & dataFlags.text) !== 0;
    const another = openAnother(peer.session, isText ? new TextDecoder().decode(payload) : payload);
    second = another;
    another.accepted.then(
      () => {
        won.resolve(another);
      },
      // There is no other session, or it refuses: the first may still accept.
      () => undefined,
    );
  });
  channel.accepted.then(() => {
    won.resolve(channel);
  }, won.reject);
  try {
    return (winner = await won.promise);
  } finally {
    cancelTimer();
    for (const other of [channel, second])
      if (other !== undefined && other !== winner && !other.isOver)
        other.reset(errorCodes.openTimedOut, "", other.error("open-timed-out", "another session was faster"));
  }
}
