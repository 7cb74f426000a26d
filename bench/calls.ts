import type { Dial } from "./ends/end.ts";
import type { Role } from "./systems/system.ts";

/**
 * What the benchmark may ask of a process with ends: by name, the argument and the answer. Each call and each answer is
 * a line of JSON on Node's IPC channel, whose file descriptor a program in another language finds in NODE_CHANNEL_FD.
 */
export interface Calls {
  /** First call of all: the ends of this process, all of one role. `module` is the code of their system. */
  connect: {
    argument: { readonly module: string; readonly role: Role; readonly dials: readonly Dial[] };
    answer: null;
  };
  /** What there is so far. */
  snapshot: { argument: null; answer: Snapshot };
  // Of sending ends:
  /** All of them send messages of this size until `stopStreams`, one stream each. */
  startStreams: { argument: { readonly messageBytes: number }; answer: null };
  stopStreams: { argument: null; answer: { readonly messages: number } };
  /** The first end's round trips, one after the other. */
  timeRoundTrips: { argument: TimedRound; answer: Latencies };
  timeOpens: { argument: TimedRound; answer: Latencies };
  // Of receiving ends:
  /** Waits until so many streams are over at each of them; how many messages came in this round, which ends the round. */
  finishStreams: { argument: { readonly streamsEach: number }; answer: { readonly messages: number } };
}

/** A process with ends, at one moment. */
export interface Snapshot {
  readonly timeMs: number;
  /** Processor time of the process. */
  readonly cpuMs: number;
  /** Received in this round. Zero for sending ends. */
  readonly payloadBytes: number;
}

export interface TimedRound {
  /** Time whose figures are thrown away. */
  readonly warmUpMs: number;
  readonly durationMs: number;
  readonly messageBytes: number;
}

/** How long each of many trips took. */
export interface Latencies {
  readonly count: number;
  readonly p50Us: number;
  readonly p99Us: number;
}
