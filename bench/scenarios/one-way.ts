import { setTimeout as delay } from "node:timers/promises";
import { cpuMs } from "../processes/linux.ts";
import { type Cast, type Ends, onePair } from "../stage.ts";
import type { RoundTimes } from "../systems/end.ts";
import type { System } from "../systems/system.ts";
import type { Figures, Scenario } from "./scenario.ts";

export type OneWay = Pick<Scenario, "name" | "title"> &
  Partial<Pick<Scenario, "targets" | "rounds" | "settleMs">> & {
    readonly systems: readonly System[];
    readonly messageBytes: number;
    /** Default: one sender and one receiver. */
    readonly cast?: Cast;
  };

/** Messages of one size, as fast as possible, on one Connection of each sender. */
export function oneWay({ systems, messageBytes, cast = onePair, ...scenario }: OneWay): Scenario {
  return {
    targets: [],
    ...scenario,
    metrics: [
      { figure: "messagesPerSecond", title: "messages", unit: "/s" },
      { figure: "megabytesPerSecond", title: "payload", unit: "MB/s" },
      { figure: "serverCpuPerMillion", title: "server's time for a million", unit: "s" },
      { figure: "clientsCpuPerMillion", title: "both clients' time for a million", unit: "s" },
      { figure: "serverCpuPerGibibyte", title: "server's time for a GiB", unit: "s" },
      { figure: "clientsCpuPerGibibyte", title: "both clients' time for a GiB", unit: "s" },
    ],
    contenders: systems.map((system) => ({
      name: system.name,
      title: system.title,
      start: async (stage) => {
        const ends = await stage.ends(system, cast);
        return (times) => streamed(ends, { messageBytes, streamsEach: cast.senders / cast.receivers }, times);
      },
    })),
  };
}

/** One round of streams. @throws Error when not all messages have arrived. */
async function streamed(
  ends: Ends,
  { messageBytes, streamsEach }: { readonly messageBytes: number; readonly streamsEach: number },
  { warmUpMs, durationMs }: RoundTimes,
): Promise<Figures> {
  await ends.sender.call("startStreams", { messageBytes });
  await delay(warmUpMs);
  const before = await costsOf(ends);
  await delay(durationMs);
  const after = await costsOf(ends);
  await stopStreams(ends, streamsEach);
  const bytes = after.payloadBytes - before.payloadBytes;
  const elapsedMs = after.timeMs - before.timeMs;
  const serverSeconds = (after.serverCpuMs - before.serverCpuMs) / 1_000;
  const clientsSeconds = (after.clientsCpuMs - before.clientsCpuMs) / 1_000;
  const [millions, gibibytes] = [bytes / messageBytes / 1e6, bytes / 2 ** 30];
  return {
    // A relay's ends pack messages in batches of their own, so messages are counted by their bytes.
    messagesPerSecond: (bytes / messageBytes / elapsedMs) * 1_000,
    megabytesPerSecond: bytes / 1_000 / elapsedMs,
    serverCpuPerMillion: serverSeconds / millions,
    clientsCpuPerMillion: clientsSeconds / millions,
    serverCpuPerGibibyte: serverSeconds / gibibytes,
    clientsCpuPerGibibyte: clientsSeconds / gibibytes,
  };
}

async function costsOf({ sender, receiver, serverIds }: Ends) {
  const [sending, receiving] = await Promise.all([sender.call("snapshot"), receiver.call("snapshot")]);
  const { timeMs, payloadBytes } = receiving;
  return { timeMs, payloadBytes, clientsCpuMs: sending.cpuMs + receiving.cpuMs, serverCpuMs: cpuMs(serverIds) };
}

/**
 * Ends the streams of all senders.
 *
 * @param streamsEach how many of them each receiver has.
 * @throws Error when not all messages have arrived.
 */
export async function stopStreams({ sender, receiver }: Ends, streamsEach: number): Promise<void> {
  const [sent, received] = await Promise.all([
    sender.call("stopStreams"),
    receiver.call("finishStreams", { streamsEach }),
  ]);
  if (sent.messages !== received.messages)
    throw new Error(`${sent.messages} messages were sent, ${received.messages} arrived`);
}
