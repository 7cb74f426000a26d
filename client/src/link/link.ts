import {
  BatchWriter,
  closeCodes,
  type ControlFrame,
  type FrameReader,
  giveBack,
  heartbeat,
  type PeerFrame,
  PeerFrameReader,
  ProtocolError,
  routerAddress,
  type RouterFrame,
  RouterFrameReader,
  type SegmentFormat,
  SegmentReader,
  subprotocols,
} from "@messagepasser/protocol";
import { type Turn, Turns } from "./turns.ts";
import type { Credentials, Platform, Socket, SocketEnd } from "./platform.ts";

/** How often a link shows that it is alive. Proxies close what is silent for a minute. */
const pingEveryMs = 25_000;
/** How long the answer may take, and the router's to the upgrade. */
const answerWithinMs = 10_000;
/** Past so much in the socket's own buffer it gets no more data: what is urgent would have to wait behind it. */
const maxBufferedBytes = 262_144;

export interface LinkEvents {
  onRouterFrame(frame: RouterFrame): void;
  /** One segment of frames from the client at this address. */
  onSegment(address: number, frames: FrameReader<PeerFrame>): void;
  /** The link is over; comes exactly once. */
  onEnd(end: SocketEnd): void;
}

/**
 * One WebSocket to the router: gathers frames into batches on the way out, takes batches apart on the way in.
 * What is written in one turn of the event loop leaves as one batch at its end, or earlier when the batch is full:
 * nothing waits for a timer, and a loop of `await send()` still batches, since it runs in microtasks.
 */
export class Link {
  readonly #platform: Platform;
  readonly #socket: Socket;
  readonly #format: SegmentFormat | undefined;
  readonly #events: LinkEvents;
  readonly #batch: BatchWriter;
  readonly #turns = new Turns();
  readonly #flush = (): void => {
    this.#isFlushing = false;
    if (this.#isOver) return;
    this.#turns.serve(this.#isFullNow);
    this.#batch.flush();
  };
  readonly #isFullNow = (): boolean => this.isFull;
  #isSocketFull = false;
  #isFlushing = false;
  #isReceiving = false;
  #isOver = false;
  /** Whether something came since the last ping. */
  #isAlive = true;
  #cancelTimer: () => void = () => undefined;

  /** @param format the native one where it is `undefined`. */
  constructor(
    platform: Platform,
    url: URL,
    format: SegmentFormat | undefined,
    credentials: Credentials,
    events: LinkEvents,
  ) {
    this.#platform = platform;
    this.#format = format;
    this.#events = events;
    this.#batch = new BatchWriter((batch, isLast) => {
      if (this.#isOver) return;
      const onTaken = (): void => {
        giveBack(batch);
      };
      this.#socket.send(batch, isLast ? onTaken : undefined);
      this.#isSocketFull = this.#socket.bufferedBytes > maxBufferedBytes;
    }, format);
    this.#socket = platform.dial(url, format?.subprotocol ?? subprotocols.native, credentials, {
      onMessage: (message) => {
        this.#receive(message);
      },
      onDrain: () => {
        if (!this.#isSocketFull || this.#socket.bufferedBytes > maxBufferedBytes / 2) return;
        this.#isSocketFull = false;
        this.#schedule();
      },
      onClose: (end) => {
        this.#end(end);
      },
    });
    this.#cancelTimer = platform.clock.after(answerWithinMs, () => {
      this.drop({ closeCode: 1006, reason: `no answer within ${answerWithinMs / 1000} s` });
    });
  }

  /** Whether data has to wait, for a turn. */
  get isFull(): boolean {
    return this.#isSocketFull;
  }

  /** Has `takeTurn` called once the link takes data, in turn with others, until it returns false. */
  requestTurn(turn: Turn): void {
    this.#turns.add(turn);
    this.#schedule();
  }

  /** Writes any frame but data: goes before all that waits for its turn. */
  frame(address: number, frame: ControlFrame): void {
    this.#batch.frame(address, frame);
    this.#schedule();
  }

  /** Writes a data frame; the parameters are those of `BatchWriter.data`. */
  data(
    address: number,
    connection: number,
    flags: number,
    offset: number,
    previousSegment: number,
    payload: Uint8Array,
  ): number {
    const segment = this.#batch.data(address, connection, flags, offset, previousSegment, payload);
    this.#schedule();
    return segment;
  }

  /** The router has answered. From now on notices within 35 s when it is there no longer, though no socket has said so. */
  keepAlive(): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#platform.clock.after(pingEveryMs - answerWithinMs, () => {
      this.probe();
    });
  }

  /** Finds out whether the router is still there. @param withinMs how long the answer may take, 10 s by default. */
  probe(withinMs = answerWithinMs): void {
    this.#cancelTimer();
    this.#isAlive = false;
    this.#socket.send(heartbeat.ping);
    this.#cancelTimer = this.#platform.clock.after(withinMs, () => {
      // After a turn that took long, timers come before what has arrived meanwhile.
      this.#platform.defer(() => {
        if (this.#isOver) return;
        if (this.#isAlive) this.keepAlive();
        else this.drop({ closeCode: 1006, reason: `no answer to a ping within ${withinMs / 1000} s` });
      });
    });
  }

  /** Reads frames between ends in the link's format. */
  peerFrames(bytes: Uint8Array, start: number, end: number): FrameReader<PeerFrame> {
    return this.#format?.peerFrames(bytes, start, end) ?? new PeerFrameReader(bytes, start, end);
  }

  /** Sends what is written as a batch of its own, without waiting for the end of the turn. */
  flush(): void {
    this.#batch.flush();
  }

  /** Sends what is written, then closes the socket. */
  close(code: number, reason: string): void {
    if (this.#isOver) return;
    this.#batch.flush();
    this.#socket.close(code, reason);
  }

  /** Ends the link at once: nothing more is sent or heard. */
  drop(end: SocketEnd): void {
    if (this.#isOver) return;
    this.#socket.drop();
    this.#end(end);
  }

  #schedule(): void {
    if (this.#isFlushing || this.#isReceiving) return;
    this.#isFlushing = true;
    this.#platform.defer(this.#flush);
  }

  #receive(message: Uint8Array | string): void {
    this.#isAlive = true;
    if (this.#isOver || message === heartbeat.pong) return;
    this.#isReceiving = true;
    try {
      if (typeof message === "string") throw new ProtocolError("Text on a binary format", 0);
      const segments = new SegmentReader(message);
      while (!this.#isOver && segments.next()) {
        const { address, start, end } = segments;
        if (address === routerAddress)
          this.#receiveControl(
            this.#format?.routerFrames(message, start, end) ?? new RouterFrameReader(message, start, end),
          );
        else this.#events.onSegment(address, this.peerFrames(message, start, end));
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      const reason = `The router sent a malformed batch: ${error.message}`;
      this.#socket.close(closeCodes.malformed, error.message);
      this.#end({ closeCode: closeCodes.malformed, reason });
    } finally {
      this.#isReceiving = false;
    }
    // Behind the handlers of opens that came, so that what they answer leaves with all else. And what came may have made
    // room for those who wait.
    this.#schedule();
  }

  #receiveControl(frames: FrameReader<RouterFrame>): void {
    let frame: RouterFrame | undefined;
    while (!this.#isOver && (frame = frames.next()) !== undefined) this.#events.onRouterFrame(frame);
  }

  #end(end: SocketEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancelTimer();
    this.#events.onEnd(end);
  }
}
