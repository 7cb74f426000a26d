import { setTimeout as delay } from "node:timers/promises";
import { type Cast, type Ends, onePair } from "../stage.ts";
import { cpuMs } from "../systems/processes.ts";
import type { System } from "../systems/system.ts";
import type { Figures, RoundTimes, Scenario, Target } from "./scenario.ts";
import { stopStreams } from "./streams.ts";

export interface OneWay {
  readonly name: string;
  readonly title: string;
  readonly systems: readonly System[];
  readonly messageBytes: number;
  readonly targets?: readonly Target[];
  /** Default: one of each. */
  readonly cast?: Cast;
  readonly rounds?: number;
}

/** Messages of one size, as fast as they go, on one Connection of each sender. */
export function oneWay({ name, title, systems, messageBytes, targets = [], cast = onePair, rounds }: OneWay): Scenario {
  return {
    name,
    title,
    metrics: [
      { figure: "messagesPerSecond", title: "messages", unit: "/s" },
      { figure: "megabytesPerSecond", title: "payload", unit: "MB/s" },
      { figure: "serverCpuPerMillion", title: "server's time for a million", unit: "s" },
      { figure: "clientsCpuPerMillion", title: "both clients' time for a million", unit: "s" },
      { figure: "serverCpuPerGibibyte", title: "server's time for a GiB", unit: "s" },
      { figure: "clientsCpuPerGibibyte", title: "both clients' time for a GiB", unit: "s" },
    ],
    targets,
    ...(rounds !== undefined && { rounds }),
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

/** One round of streams. @throws Error when not all that was sent has arrived. */
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
  const [serverMs, clientsMs] = [after.serverCpuMs - before.serverCpuMs, after.clientsCpuMs - before.clientsCpuMs];
  const [millions, gibibytes] = [bytes / messageBytes / 1e6, bytes / 2 ** 30];
  return {
    // A relay's ends pack messages in batches of their own, so those are counted by their bytes.
    messagesPerSecond: (bytes / messageBytes / elapsedMs) * 1_000,
    megabytesPerSecond: bytes / 1_000 / elapsedMs,
    serverCpuPerMillion: serverMs / 1_000 / millions,
    clientsCpuPerMillion: clientsMs / 1_000 / millions,
    serverCpuPerGibibyte: serverMs / 1_000 / gibibytes,
    clientsCpuPerGibibyte: clientsMs / 1_000 / gibibytes,
  };
}

async function costsOf({ sender, receiver, serverIds }: Ends) {
  const [sending, receiving] = await Promise.all([sender.call("snapshot", null), receiver.call("snapshot", null)]);
  const { timeMs, payloadBytes } = receiving;
  return { timeMs, payloadBytes, clientsCpuMs: sending.cpuMs + receiving.cpuMs, serverCpuMs: cpuMs(serverIds) };
}
