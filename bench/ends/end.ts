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

/** Where and as whom an end connects. */
export interface Dial {
  readonly url: string;
  /** Empty on the relay, which asks nobody. */
  readonly name: string;
  readonly secret: string;
}

/** The end that starts everything. The router and the relay have one each, for the same scenarios. */
export interface SendingEnd {
  startStream(messageBytes: number): Promise<void>;
  /** Ends the stream in good order; the number of messages sent on it. */
  stopStream(): Promise<number>;
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

/** The end that echoes, and counts the streams that come. */
export interface ReceivingEnd {
  /** The latest stream. */
  readonly stream: StreamCount;
  /** Makes ready for the next stream. */
  prepareStream(): void;
}
