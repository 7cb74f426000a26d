/** How long one round takes. */
export interface RoundTimes {
  /** Time whose figures are thrown away. */
  readonly warmUpMs: number;
  readonly durationMs: number;
}

/** What arrived in the measured part of a round. */
export interface Throughput {
  readonly messages: number;
  readonly payloadBytes: number;
  /** Payload and framing: what was read from the TCP socket. */
  readonly wireBytes: number;
  readonly elapsedMs: number;
}

/** Where and as whom a client connects. */
export interface Account {
  readonly url: string;
  /** Empty on the relay, which asks nobody. */
  readonly name: string;
  readonly secret: string;
}

/** How an end is started. */
export interface Dial extends Account {
  /** The name of the receiving end. */
  readonly peer: string;
  readonly format: EndFormat;
}

/** How an end's frames are written. Those of the relay have none. */
export type EndFormat = "native" | "msgpack" | "protobuf" | "json";

/** An end that sends streams. */
export interface StreamSender {
  startStream(messageBytes: number): Promise<void>;
  /** Ends the stream in good order; the number of messages sent on it. */
  stopStream(): Promise<number>;
}

/** The end that starts everything. The router and the relay have one each, for the same scenarios. */
export interface SendingEnd extends StreamSender {
  /** Sends a message and waits for its echo. */
  roundTrip(message: Uint8Array): Promise<void>;
  /** From nothing to the first byte of the other end's answer. */
  openToFirstByte(message: Uint8Array): Promise<void>;
  /** How many bytes may be under way at once. */
  windowBytes(): Promise<number>;
}

/** What has arrived on one stream so far. */
export class StreamCount {
  messages = 0;
  payloadBytes = 0;
  readonly ended: Promise<void>;
  readonly end: () => void;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.end = resolve;
  }

  add(payloadBytes: number): void {
    this.messages++;
    this.payloadBytes += payloadBytes;
  }
}

/** The end that counts the streams that come; and echoes, unless its format is JSON. */
export interface StreamReceiver {
  /** The latest stream. */
  readonly stream: StreamCount;
  /** Makes ready for the next stream. */
  prepareStream(): void;
}
