/** How an end is started. The process of the end gets this as JSON. */
export interface Dial {
  readonly url: string;
  readonly name: string;
  /** Empty where the server asks for none. */
  readonly secret: string;
  /** The name of the other end. A receiver that answers every sender needs none. */
  readonly peer: string;
  /** Which of several kinds of end this is, for a system that has several. */
  readonly variant?: string;
}

/** How long one round takes. */
export interface RoundTimes {
  /** Time whose figures don't count. */
  readonly warmUpMs: number;
  readonly durationMs: number;
}

export type Role = "sender" | "receiver";

/** What the module of a system's ends exports. */
export interface EndModule {
  connectSender(dial: Dial): Promise<SendingEnd>;
  connectReceiver(dial: Dial): Promise<StreamCount>;
}

/** What goes on between the start and the stop of streams. */
export interface Round {
  isOver: boolean;
}

/** Resolves to the number of messages that were sent, once the stream has ended. */
export type SendStream = (messageBytes: number, round: Round) => Promise<number>;

/** The end that starts everything. */
export interface SendingEnd {
  /** Opens a stream. The function sends messages of one size on it, as fast as possible until the round is over. */
  openStream(): Promise<SendStream>;
  /** Sends a message and waits for its echo. May run beside a stream. */
  roundTrip(message: Uint8Array): Promise<void>;
  /**
   * Opens a Connection with this first message, and waits for the first byte of the answer. Where nothing has to be
   * opened, a round trip.
   *
   * @returns what closes the Connection, if there is one.
   */
  openToFirstByte(message: Uint8Array): Promise<(() => Promise<void>) | undefined>;
}

/** What has arrived in this round so far, on all streams of one receiving end. */
export class StreamCount {
  messages = 0;
  payloadBytes = 0;
  #ended = 0;
  #awaited: { readonly streams: number; readonly resolve: () => void } | undefined;

  add(payloadBytes: number): void {
    this.messages++;
    this.payloadBytes += payloadBytes;
  }

  /** A stream has ended, and all its messages are counted. */
  end(): void {
    this.#ended++;
    if (this.#awaited !== undefined && this.#ended >= this.#awaited.streams) this.#awaited.resolve();
  }

  /** Waits until this many streams have ended. Resolves to the number of their messages, and begins the next round. */
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
