import type { RoundTimes } from "../ends/end.ts";
import { relayMessageBytes } from "../ends/relay-end.ts";
import type { Ends, Figures, Formats, Scenario, Target } from "./scenario.ts";

/** Messages of one size, as fast as they go, on one Connection; on the relay always full ones. */
export function oneWay(messageBytes: number, title: string, target?: Target): Scenario {
  return {
    name: `one-way-${messageBytes}`,
    metrics: [{ figure: "megabytesPerSecond", title: `${title} one way`, unit: "MB/s", ...(target && { target }) }],
    router: (ends, times) => stream(ends, messageBytes, times),
    relay: (ends, times) => stream(ends, relayMessageBytes, times),
  };
}

/** The same between ends of other formats. Payload counts, since the same frame is longer in one format than in another. */
export function oneWayIn(messageBytes: number, title: string, formats: Formats): Scenario {
  const [sender, receiver] = formats;
  const between = sender === receiver ? sender : `${sender} to ${receiver}`;
  return {
    ...oneWay(messageBytes, title),
    name: `one-way-${messageBytes}-${formats.join("-")}`,
    metrics: [{ figure: "payloadMegabytesPerSecond", title: `${title} one way, ${between}`, unit: "MB/s" }],
    formats,
  };
}

async function stream({ sender, receiver }: Ends, messageBytes: number, times: RoundTimes): Promise<Figures> {
  await receiver.call("prepareStream", null);
  await sender.call("startStream", { messageBytes });
  const { messages, payloadBytes, wireBytes, elapsedMs } = await receiver.call("measureStream", times);
  const sent = await sender.call("stopStream", null);
  const received = await receiver.call("finishStream", null);
  if (sent.messages !== received.messages) {
    throw new Error(`${sent.messages} messages of ${messageBytes} bytes were sent, ${received.messages} arrived`);
  }
  return {
    megabytesPerSecond: wireBytes / 1_000 / elapsedMs,
    payloadMegabytesPerSecond: payloadBytes / 1_000 / elapsedMs,
    messagesPerSecond: (messages * 1_000) / elapsedMs,
  };
}
