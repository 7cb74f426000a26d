// Ends of what is measured, in a process of their own, as a real program would be. peer.ts starts it and calls it.
import { randomBytes } from "node:crypto";
import { answerCalls } from "./answering.ts";
import type { Calls, Latencies, TimedRound } from "./calls.ts";
import type { EndModule, ReceivingEnd, SendingEnd } from "./ends/end.ts";
import { quantile } from "./statistics.ts";

let senders: readonly SendingEnd[] = [];
let receivers: readonly ReceivingEnd[] = [];

answerCalls<Calls>({
  connect: async ({ module, role, dials }) => {
    // A system's module of ends: see system.ts.
    const { connectSender, connectReceiver } = (await import(module)) as EndModule;
    if (role === "sender") senders = await Promise.all(dials.map((dial) => connectSender(dial)));
    else receivers = await Promise.all(dials.map((dial) => connectReceiver(dial)));
    return null;
  },
  snapshot: () => {
    const { user, system } = process.cpuUsage();
    const payloadBytes = sum(receivers.map(({ streams }) => streams.payloadBytes));
    return Promise.resolve({ timeMs: performance.now(), cpuMs: (user + system) / 1_000, payloadBytes });
  },
  startStreams: async ({ messageBytes }) => {
    await Promise.all(senders.map((sender) => sender.startStream(messageBytes)));
    return null;
  },
  stopStreams: async () => ({ messages: sum(await Promise.all(senders.map((sender) => sender.stopStream()))) }),
  timeRoundTrips: (round) =>
    timeEach(round, async (message) => {
      await firstSender().roundTrip(message);
      return undefined;
    }),
  timeOpens: (round) => timeEach(round, (message) => firstSender().openToFirstByte(message)),
  finishStreams: async ({ streamsEach }) => ({
    messages: sum(await Promise.all(receivers.map(({ streams }) => streams.finish(streamsEach)))),
  }),
});

function firstSender(): SendingEnd {
  const [sender] = senders;
  if (sender === undefined) throw new TypeError("This process has no sending end");
  return sender;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Times one call after the other, until the round is over; not what they return. */
async function timeEach(round: TimedRound, call: SendingEnd["openToFirstByte"]): Promise<Latencies> {
  const message = new Uint8Array(randomBytes(round.messageBytes));
  const startMs = performance.now() + round.warmUpMs;
  const endMs = startMs + round.durationMs;
  const latenciesUs: number[] = [];
  for (let beforeMs = performance.now(); beforeMs < endMs; beforeMs = performance.now()) {
    const close = await call(message);
    if (beforeMs >= startMs) latenciesUs.push((performance.now() - beforeMs) * 1_000);
    if (close !== undefined) await close();
  }
  return { count: latenciesUs.length, p50Us: quantile(latenciesUs, 0.5), p99Us: quantile(latenciesUs, 0.99) };
}
