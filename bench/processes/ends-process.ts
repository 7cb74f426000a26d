// The ends of one system and role, in a process of their own as a real program would be. stage.ts starts and calls it.
// systems/original/ has the same calls in Go.
import { randomBytes } from "node:crypto";
import { quantile } from "../report/statistics.ts";
import type { Dial, EndModule, Role, Round, RoundTimes, SendingEnd, StreamCount } from "../systems/end.ts";
import { answerCalls } from "./answering.ts";

export type EndCalls = typeof calls;

export type TimedRound = RoundTimes & { readonly messageBytes: number };

export type Latencies = Readonly<Record<"count" | "p50Us" | "p99Us", number>>;

let senders: readonly SendingEnd[] = [];
let receivers: readonly StreamCount[] = [];
let round: Round = { isOver: true };
let sent: readonly Promise<number>[] = [];

const calls = {
  /** First call of all: connects the ends. `module` is the code of their system. */
  connect: async (argument: { readonly module: string; readonly role: Role; readonly dials: readonly Dial[] }) => {
    const { module, role, dials } = argument;
    const { connectSender, connectReceiver } = (await import(module)) as EndModule;
    if (role === "sender") senders = await Promise.all(dials.map((dial) => connectSender(dial)));
    else receivers = await Promise.all(dials.map((dial) => connectReceiver(dial)));
    return null;
  },
  /** Processor time of this process, and the payload that its receivers got in this round. */
  snapshot: () => {
    const { user, system } = process.cpuUsage();
    const payloadBytes = sum(receivers.map((count) => count.payloadBytes));
    return Promise.resolve({ timeMs: performance.now(), cpuMs: (user + system) / 1_000, payloadBytes });
  },
  /** Each sender opens a stream, and sends messages of this size on it until `stopStreams`. */
  startStreams: async ({ messageBytes }: { readonly messageBytes: number }) => {
    const streams = await Promise.all(senders.map((sender) => sender.openStream()));
    const started: Round = { isOver: false };
    round = started;
    sent = streams.map((send) => send(messageBytes, started));
    return null;
  },
  stopStreams: async () => {
    round.isOver = true;
    return { messages: sum(await Promise.all(sent)) };
  },
  /** Waits until this many streams have ended at each receiver, which ends the round. */
  finishStreams: async ({ streamsEach }: { readonly streamsEach: number }) => ({
    messages: sum(await Promise.all(receivers.map((count) => count.finish(streamsEach)))),
  }),
  /** Round trips of the first sender, one after the other. */
  timeRoundTrips: (times: TimedRound) =>
    timeEach(times, async (sender, message) => {
      await sender.roundTrip(message);
      return undefined;
    }),
  timeOpens: (times: TimedRound) => timeEach(times, (sender, message) => sender.openToFirstByte(message)),
};

answerCalls(calls);

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Times one call after the other until the round is over. What closes a Connection again isn't timed. */
async function timeEach(
  { warmUpMs, durationMs, messageBytes }: TimedRound,
  call: (sender: SendingEnd, message: Uint8Array) => ReturnType<SendingEnd["openToFirstByte"]>,
): Promise<Latencies> {
  const [sender] = senders;
  if (sender === undefined) throw new TypeError("This process has no sending end");
  const message = new Uint8Array(randomBytes(messageBytes));
  const startMs = performance.now() + warmUpMs;
  const endMs = startMs + durationMs;
  const latenciesUs: number[] = [];
  for (let beforeMs = performance.now(); beforeMs < endMs; beforeMs = performance.now()) {
    const close = await call(sender, message);
    if (beforeMs >= startMs) latenciesUs.push((performance.now() - beforeMs) * 1_000);
    if (close !== undefined) await close();
  }
  return { count: latenciesUs.length, p50Us: quantile(latenciesUs, 0.5), p99Us: quantile(latenciesUs, 0.99) };
}
