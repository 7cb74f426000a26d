import type { Ends } from "../stage.ts";

/**
 * Ends the streams of all senders.
 *
 * @param streamsEach how many of them each receiver has.
 * @throws Error when not all that was sent has arrived.
 */
export async function stopStreams({ sender, receiver }: Ends, streamsEach: number): Promise<void> {
  const [sent, received] = await Promise.all([
    sender.call("stopStreams", null),
    receiver.call("finishStreams", { streamsEach }),
  ]);
  if (sent.messages !== received.messages) throw new Error(`${sent.messages} were sent, ${received.messages} arrived`);
}
