import {
  BatchWriter,
  clientLimits,
  closeCodes,
  type ControlFrame,
  type DataTarget,
  type FrameReader,
  giveBack,
  heartbeat,
  limits,
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
import type { Carrier } from "../connection/route.ts";
import type { Platform, Socket, SocketEnd } from "./platform.ts";
import { askForSecret, type SecretSource } from "./secret.ts";
import { type Turn, Turns } from "./turns.ts";
import type { Downlink } from "./downlink.ts";
import { RouterClock } from "./router-clock.ts";
import { Uplink } from "./uplink.ts";

const { answerWithinMs, maxBufferedBytes, maxUnsentBytes } = clientLimits;

/** The heartbeat interval. Proxies close connections that are silent for a minute. */
const pingEveryMs = 25_000;

/** What takes a slow line no time to speak of. */
const littleBytes = 512;

/** Stands for the socket while the function for the secret is asked. Nothing is sent before the router's welcome. */
const noSocket: Socket = { bufferedBytes: 0, send: () => undefined, close: () => undefined, drop: () => undefined };

/** Whom a link logs in. */
export interface Login {
  readonly name: string;
  readonly secret: SecretSource;
}

export interface LinkEvents {
  onRouterFrame(frame: RouterFrame): void;
  /** A segment of frames from the client at this address. */
  onSegment(address: number, frames: FrameReader<PeerFrame>): void;
  /** The link has ended. Called exactly once. */
  onEnd(end: SocketEnd): void;
  /** Says how much may be on its way from the router; it outlives the link. */
  readonly downlink: Downlink;
}

/**
 * One WebSocket to the router. Gathers outgoing frames into batches and takes incoming batches apart.
 * Everything written in one turn of the event loop leaves as one batch at the end of the turn, or earlier when the batch
 * is full. No timer is involved, and a loop of `await send()` batches too, since it runs in microtasks.
 */
export class Link implements Carrier {
  readonly #platform: Platform;
  #socket = noSocket;
  readonly #format: SegmentFormat | undefined;
  readonly #events: LinkEvents;
  readonly #batch: BatchWriter;
  readonly #turns = new Turns();
  readonly #uplink: Uplink;
  readonly #flush = (): void => {
    this.#isFlushing = false;
    if (this.#isOver) return;
    this.#limit();
    this.#turns.serve(this.#isFullNow);
    this.#batch.flush();
    if (this.isFull && !this.#isSocketFull && !this.#turns.isEmpty) this.#wait();
  };
  readonly #isFullNow = (): boolean => this.isFull;
  isFull = false;
  pieceBytes = 0;
  #isSocketFull = false;
  #isFlushing = false;
  #isReceiving = false;
  #isOver = false;
  /** Whether the function for the secret has still to answer. */
  #isAsking = false;
  /** Whether anything arrived since the last ping. */
  #isAlive = true;
  #cancelTimer: () => void = () => undefined;
  /** While data waits until it may be sent. */
  #cancelWait: (() => void) | undefined;
  readonly #clock = new RouterClock();
  /** Whether the way was measured so long ago, if ever, that it is to be measured before anything waits. */
  #isStale = true;
  /** Whether the batch that is being gathered holds a `measure`. */
  #isMeasuring = false;

  /** @param format `undefined` for the native format. */
  constructor(
    platform: Platform,
    url: URL,
    format: SegmentFormat | undefined,
    { name, secret: source }: Login,
    events: LinkEvents,
  ) {
    this.#platform = platform;
    this.#format = format;
    this.#events = events;
    this.#uplink = new Uplink(platform.clock.now);
    events.downlink.start();
    this.#batch = new BatchWriter((batch, isLast) => {
      if (this.#isOver) return;
      const onTaken = (): void => {
        giveBack(batch);
      };
      this.#socket.send(batch, isLast ? onTaken : undefined);
      const { bufferedBytes } = this.#socket;
      // Until it drains: `onDrain` is what lets those that wait go on.
      this.#isSocketFull ||= bufferedBytes > maxBufferedBytes;
      this.#uplink.sent(batch.length, this.#isMeasuring);
      this.#isMeasuring = false;
      this.#limit();
      // Data that follows at once takes it along.
      if (this.#uplink.isStuck) this.#measure();
      if (bufferedBytes <= maxUnsentBytes) return;
      // Later, since whoever writes doesn't expect the link's end.
      platform.defer(() => {
        this.drop({ closeCode: 1006, reason: "the router reads nothing" });
      });
    }, format);
    this.#limit();
    const dial = (secret: string): void => {
      this.#isAsking = false;
      if (this.#isOver) return;
      const credentials = { name, secret };
      this.#socket = platform.dial(url, format?.subprotocol ?? subprotocols.native, credentials, {
        onMessage: (message) => {
          this.#receive(message);
        },
        onDrain: () => {
          if (!this.#isSocketFull || this.#socket.bufferedBytes > maxBufferedBytes / 2) return;
          this.#isSocketFull = false;
          this.#limit();
          this.#schedule();
        },
        onClose: (end) => {
          this.#end(end);
        },
      });
    };
    if (typeof source === "string") dial(source);
    else {
      this.#isAsking = true;
      askForSecret(source).then(dial, (error: unknown) => {
        const reason = error instanceof Error ? error.message : `a value of type ${typeof error} was thrown`;
        this.#end(this.endOf(reason, error));
      });
    }
    this.#cancelTimer = platform.clock.after(answerWithinMs, () => {
      this.drop(this.endOf(`no answer within ${answerWithinMs / 1000} s`));
    });
  }

  /** The end of a link that is given up before its welcome: whether the router or the function for the secret is to blame. */
  endOf(reason: string, cause?: unknown): SocketEnd {
    const end = { closeCode: 1006, reason, cause };
    return this.#isAsking ? { ...end, reason: `no secret from its function: ${reason}`, isWithoutSecret: true } : end;
  }

  /** Calls `takeTurn` whenever the link accepts data, in turn with others, until it returns false. */
  requestTurn(turn: Turn): void {
    this.#turns.add(turn);
    this.#schedule();
  }

  /** Writes a frame other than `data`, ahead of everything that waits for its turn. */
  frame(address: number, frame: ControlFrame): void {
    this.#batch.frame(address, frame);
    this.#schedule();
  }

  /** Writes a data frame; the parameters are those of `BatchWriter.data`. */
  data(target: DataTarget, flags: number, offset: number, payload: Uint8Array): void {
    if (this.#isStale) {
      this.#measure();
      if (payload.length > littleBytes) this.#batch.flush();
    } else if (this.#uplink.isDue(this.#batch.length + payload.length)) this.#measure();
    this.#batch.data(target, flags, offset, payload);
    this.#schedule();
  }

  /** Starts the heartbeat, once the router has answered: a dead link is noticed within 35 s. */
  keepAlive(): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#platform.clock.after(pingEveryMs - answerWithinMs, () => {
      this.probe();
    });
  }

  /** Sends a ping, and ends the link if nothing arrives in time. @param withinMs how long to wait. Default: 10,000. */
  probe(withinMs: number = answerWithinMs): void {
    this.#cancelTimer();
    this.#isAlive = false;
    this.#isStale = true;
    this.#socket.send(heartbeat.ping);
    this.#cancelTimer = this.#platform.clock.after(withinMs, () => {
      // After a long turn, timers run before sockets are read: look again afterwards.
      this.#platform.defer(() => {
        if (this.#isOver) return;
        if (this.#isAlive) this.keepAlive();
        else this.drop({ closeCode: 1006, reason: `no answer to a ping within ${withinMs / 1000} s` });
      });
    });
  }

  /** Reads peer frames in the link's format. */
  peerFrames(bytes: Uint8Array, start: number, end: number): FrameReader<PeerFrame> {
    return this.#format?.peerFrames(bytes, start, end) ?? new PeerFrameReader(bytes, start, end);
  }

  /** Sends what was written so far as a batch, without waiting for the end of the turn. */
  flush(): void {
    this.#batch.flush();
  }

  /** Sends what was written, then closes the socket. */
  close(code: number, reason: string): void {
    if (this.#isOver) return;
    this.#batch.flush();
    this.#socket.close(code, reason);
  }

  /** Ends the link at once: nothing more is sent or received. */
  drop(end: SocketEnd): void {
    if (this.#isOver) return;
    this.#socket.drop();
    this.#end(end);
  }

  /** Works out how much may be written from now on. */
  #limit(): void {
    const { roomBytes, pieceBytes } = this.#uplink;
    this.isFull = this.#isSocketFull || roomBytes <= 0;
    this.pieceBytes = pieceBytes;
    // What fills the room leaves at once, and is counted.
    this.#batch.flushBytes = Math.min(limits.flushBatchBytes, pieceBytes, roomBytes > 0 ? roomBytes : Infinity);
  }

  /** Asks, in the batch that is being gathered, when that has arrived. */
  #measure(): void {
    if (this.#isMeasuring) return;
    this.#isMeasuring = true;
    this.#isStale = false;
    this.frame(routerAddress, { kind: "measure" });
  }

  /** Goes on when the line has carried some of what was sent. */
  #wait(): void {
    const { waitMs } = this.#uplink;
    if (waitMs === undefined) return;
    this.#cancelWait ??= this.#platform.clock.after(waitMs, () => {
      this.#cancelWait = undefined;
      this.#flush();
    });
  }

  #schedule(): void {
    if (this.#isFlushing || this.#isReceiving) return;
    this.#isFlushing = true;
    this.#platform.defer(this.#flush);
  }

  #receive(message: Uint8Array | string): void {
    this.#isAlive = true;
    if (this.#isOver) return;
    if (message === heartbeat.pong) return;
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
    // After the handlers of opens in this batch, so that their answers leave together. Credit in it may also have made
    // room for waiting senders.
    this.#schedule();
  }

  #receiveControl(frames: FrameReader<RouterFrame>): void {
    let frame: RouterFrame | undefined;
    while (!this.#isOver && (frame = frames.next()) !== undefined) {
      if (frame.kind === "clock") this.#events.downlink.clocked(this.#clock.at(frame.timeMs));
      else if (frame.kind === "measured") {
        const timeMs = this.#clock.at(frame.timeMs);
        this.#uplink.measured(timeMs);
        this.#events.downlink.clocked(timeMs);
        if (this.#uplink.isStuck) this.#measure();
      } else this.#events.onRouterFrame(frame);
    }
  }

  #end(end: SocketEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancelTimer();
    this.#cancelWait?.();
    this.#events.downlink.pause();
    this.#events.onEnd(end);
  }
}
