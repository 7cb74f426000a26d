import type { RelayDial } from "./ends/relay-end.ts";
import type { Dial, RoundTimes, Throughput } from "./ends/end.ts";

/** What the benchmark may ask of a peer process: by name, the argument and the answer. Both go as JSON. */
export interface Calls {
  /** First call of all: which end this process is. */
  connect: { argument: PeerStart; answer: null };
  // Of the sending end:
  windowBytes: { argument: null; answer: number };
  startStream: { argument: { readonly messageBytes: number }; answer: null };
  stopStream: { argument: null; answer: { readonly messages: number } };
  timeRoundTrips: { argument: TimedRound; answer: Latencies };
  timeOpens: { argument: TimedRound; answer: Latencies };
  // Of the receiving end:
  prepareStream: { argument: null; answer: null };
  measureStream: { argument: RoundTimes; answer: Throughput };
  finishStream: { argument: null; answer: { readonly messages: number } };
}

export type PeerStart =
  | { readonly system: "router"; readonly role: Role; readonly dial: Dial }
  | { readonly system: "relay"; readonly role: Role; readonly dial: RelayDial };

export type Role = "sender" | "receiver";

export interface TimedRound extends RoundTimes {
  readonly messageBytes: number;
}

/** How long each of many trips took. */
export interface Latencies {
  readonly count: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

export type CallName = keyof Calls;

/** Benchmark to peer process. */
export interface CallMessage<Name extends CallName = CallName> {
  readonly id: number;
  readonly name: Name;
  readonly argument: Calls[Name]["argument"];
}

/** Peer process to benchmark. */
export type AnswerMessage =
  { readonly id: number; readonly answer: Calls[CallName]["answer"] } | { readonly id: number; readonly error: string };
