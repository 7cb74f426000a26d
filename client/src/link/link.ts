import {
  BatchWriter,
  closeCodes,
  type ControlFrame,
  heartbeat,
  PeerFrameReader,
  ProtocolError,
  routerAddress,
  type RouterFrame,
  RouterFrameReader,
  SegmentReader,
} from "@messagepasser/protocol";
import type { Credentials, Platform, Socket, SocketEnd } from "./platform.ts";

export interface LinkEvents {
  onRouterFrame(frame: RouterFrame): void;
  /** One segment of frames from the client at this address. */
  onSegment(address: number, frames: PeerFrameReader): void;
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
  readonly #events: LinkEvents;
  readonly #batch: BatchWriter;
  readonly #flush = (): void => {
    this.#isFlushing = false;
    this.#batch.flush();
  };
  #isFlushing = false;
  #isOver = false;

  constructor(platform: Platform, url: URL, credentials: Credentials, events: LinkEvents) {
    this.#platform = platform;
    this.#events = events;
    this.#batch = new BatchWriter((bytes) => {
      if (!this.#isOver) this.#socket.send(bytes);
    });
    this.#socket = platform.dial(url, credentials, {
      onMessage: (message) => {
        this.#receive(message);
      },
      onClose: (end) => {
        this.#end(end);
      },
    });
  }

  /** Writes any frame but data. */
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

  /** Sends what is written, then closes the socket. */
  close(code: number, reason: string): void {
    if (this.#isOver) return;
    this.#batch.flush();
    this.#socket.close(code, reason);
  }

  /** Ends the link at once: nothing more is sent or heard. */
  drop(end: SocketEnd): void {
    this.#socket.drop();
    this.#end(end);
  }

  #schedule(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    this.#platform.defer(this.#flush);
  }

  #receive(message: Uint8Array | string): void {
    if (this.#isOver || message === heartbeat.pong) return;
    try {
      if (typeof message === "string") throw new ProtocolError("Text message on a binary format", 0);
      const segments = new SegmentReader(message);
      while (segments.next()) {
        if (segments.address === routerAddress)
          this.#receiveControl(new RouterFrameReader(message, segments.start, segments.end));
        else this.#events.onSegment(segments.address, new PeerFrameReader(message, segments.start, segments.end));
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      const reason = `The router sent a malformed batch: ${error.message}`;
      this.#socket.close(closeCodes.malformed, error.message);
      this.#end({ closeCode: closeCodes.malformed, reason });
    }
  }

  #receiveControl(frames: RouterFrameReader): void {
    let frame: RouterFrame | undefined;
    while ((frame = frames.next()) !== undefined) this.#events.onRouterFrame(frame);
  }

  #end(end: SocketEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#events.onEnd(end);
  }
}
