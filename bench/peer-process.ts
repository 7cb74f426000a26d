// One end of what is measured, in a process of its own, as two real programs would be. peer.ts starts it and calls it.
import { randomBytes } from "node:crypto";
import { subscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { AnswerMessage, CallMessage, CallName, Calls, Latencies, PeerStart, TimedRound } from "./calls.ts";
import type { RoundTimes, SendingEnd, StreamReceiver, StreamSender, Throughput } from "./ends/end.ts";
import { JsonReceiver, JsonSender } from "./ends/json-end.ts";
import { RelayReceiver, RelaySender } from "./ends/relay-end.ts";
import { RouterReceiver, RouterSender } from "./ends/router-end.ts";
import { quantile } from "./statistics.ts";

// Neither the client nor ws tells what the wire carried, but Node tells of each TCP socket. So both are counted alike.
const tcpSockets: Socket[] = [];
subscribe("net.client.socket", (message) => {
  // Documented: the channel's messages are { socket: net.Socket }.
  tcpSockets.push((message as { readonly socket: Socket }).socket);
});

let sender: SendingEnd | StreamSender | undefined;
let receiver: StreamReceiver | undefined;

type Handlers = { [Name in CallName]: (argument: Calls[Name]["argument"]) => Promise<Calls[Name]["answer"]> };

const handlers: Handlers = {
  connect: async (start) => {
    await connect(start);
    return null;
  },
  windowBytes: () => theSender().windowBytes(),
  startStream: async ({ messageBytes }) => {
    await theStreamSender().startStream(messageBytes);
    return null;
  },
  stopStream: async () => ({ messages: await theStreamSender().stopStream() }),
  timeRoundTrips: (round) => timeEach(round, (message) => theSender().roundTrip(message)),
  timeOpens: (round) => timeEach(round, (message) => theSender().openToFirstByte(message)),
  prepareStream: () => {
    theReceiver().prepareStream();
    return Promise.resolve(null);
  },
  measureStream: measure,
  finishStream: async () => {
    const { stream } = theReceiver();
    await stream.ended;
    return { messages: stream.messages };
  },
};

async function connect(start: PeerStart): Promise<void> {
  if (start.system === "router") {
    const isJson = start.dial.format === "json";
    if (start.role === "sender") sender = await (isJson ? JsonSender : RouterSender).connect(start.dial);
    else receiver = await (isJson ? JsonReceiver : RouterReceiver).connect(start.dial);
  } else if (start.role === "sender") sender = await RelaySender.connect(start.dial);
  else receiver = await RelayReceiver.connect(start.dial);
}

function theStreamSender(): StreamSender {
  if (sender === undefined) throw new TypeError("This process is no sending end");
  return sender;
}

function theSender(): SendingEnd {
  const end = theStreamSender();
  if (!isSendingEnd(end)) throw new TypeError("This process only sends streams");
  return end;
}

function isSendingEnd(end: StreamSender): end is SendingEnd {
  return "roundTrip" in end;
}

function theReceiver(): StreamReceiver {
  if (receiver === undefined) throw new TypeError("This process is no receiving end");
  return receiver;
}

async function measure({ warmUpMs, durationMs }: RoundTimes): Promise<Throughput> {
  await delay(warmUpMs);
  const before = snapshot();
  await delay(durationMs);
  const after = snapshot();
  return {
    messages: after.messages - before.messages,
    payloadBytes: after.payloadBytes - before.payloadBytes,
    wireBytes: after.wireBytes - before.wireBytes,
    elapsedMs: after.timeMs - before.timeMs,
  };
}

function snapshot(): { messages: number; payloadBytes: number; wireBytes: number; timeMs: number } {
  const { messages, payloadBytes } = theReceiver().stream;
  const wireBytes = tcpSockets.reduce((sum, socket) => sum + socket.bytesRead, 0);
  return { messages, payloadBytes, wireBytes, timeMs: performance.now() };
}

/** Times one call after the other, until the round is over. */
async function timeEach(round: TimedRound, call: (message: Uint8Array) => Promise<void>): Promise<Latencies> {
  const message = new Uint8Array(randomBytes(round.messageBytes));
  const startMs = performance.now() + round.warmUpMs;
  const endMs = startMs + round.durationMs;
  const latenciesUs: number[] = [];
  for (let beforeMs = performance.now(); beforeMs < endMs;) {
    await call(message);
    const afterMs = performance.now();
    if (beforeMs >= startMs) latenciesUs.push((afterMs - beforeMs) * 1_000);
    beforeMs = afterMs;
  }
  return { count: latenciesUs.length, p50Us: quantile(latenciesUs, 0.5), p99Us: quantile(latenciesUs, 0.99) };
}

async function answer<Name extends CallName>({ id, name, argument }: CallMessage<Name>): Promise<void> {
  let message: AnswerMessage;
  try {
    message = { id, answer: await handlers[name](argument) };
  } catch (error) {
    message = { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  process.send?.(message);
}

// Only peer.ts writes to this channel.
process.on("message", (message) => void answer(message as CallMessage));
// Whoever started this process is gone. An exit in good order also writes the profile that --profile asks for.
process.on("disconnect", () => process.exit(0));
