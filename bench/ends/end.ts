/** How an end is started: who it is, whom it talks with, and where. Goes to the process of the end as JSON. */
export interface Dial {
  readonly url: string;
  readonly name: string;
  /** Empty where nobody is asked. */
  readonly secret: string;
  /** The name of the other end. A receiver that answers whoever comes has no use for it. */
  readonly peer: string;
  /** How this end's frames are written. Only the router knows several ways. */
  readonly format?: EndFormat;
}

export type EndFormat = "native" | "msgpack" | "protobuf" | "json";

/** What the module of a system's ends exports. */
export interface EndModule {
  connectSender(dial: Dial): Promise<SendingEnd>;
  connectReceiver(dial: Dial): Promise<ReceivingEnd>;
}

/** The end that starts everything, one a process or many. */
export interface SendingEnd {
  /** From now on messages of this size, as fast as they go. */
  startStream(messageBytes: number): Promise<void>;
  /** Ends the stream in good order; the number of messages sent on it. */
  stopStream(): Promise<number>;
  /** Sends a message and waits for its echo. May run beside a stream. */
  roundTrip(message: Uint8Array): Promise<void>;
  /**
   * From nothing to the first byte of the other end's answer; where nothing has to be opened, a round trip.
   *
   * @returns what closes it again, if there is something to close: that isn't timed.
   */
  openToFirstByte(message: Uint8Array): Promise<(() => Promise<void>) | undefined>;
}

/** The end that counts the streams that come, and echoes. */
export interface ReceivingEnd {
  readonly streams: StreamCount;
}

/** What has arrived in this round so far, of all streams of one receiving end. */
export class StreamCount {
  messages = 0;
  payloadBytes = 0;
  #ended = 0;
  #awaited: { readonly streams: number; readonly resolve: () => void } | undefined;

  add(payloadBytes: number): void {
    this.messages++;
    this.payloadBytes += payloadBytes;
  }

  /** A stream is over: its sender stopped it, and all of it was counted. */
  end(): void {
    this.#ended++;
    if (this.#awaited !== undefined && this.#ended >= this.#awaited.streams) this.#awaited.resolve();
  }

  /** Waits until so many streams are over. Then how many messages came on them; the next round begins at zero. */
  async finish(streams: number): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#awaited = { streams, resolve };
    if (this.#ended >= streams) resolve();
    await promise;
    const { messages } = this;
    this.messages = 0;
    this.payloadBytes = 0;
    this.#ended = 0;
    return messages;
  }
}
