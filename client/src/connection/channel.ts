import {
  BatchWriter,
  type ControlFrame,
  errorCodes,
  limits,
  openerBit,
  type PeerFrame,
  routerAddress,
  segmentHeaderBytes,
} from "@messagepasser/protocol";
import { connectionCode, ConnectionError } from "../errors.ts";
import type { Message } from "./message.ts";
import { type MessageTooLarge, Receiver, Violation } from "./receiver.ts";
import { Sender } from "./sender.ts";

/** Where a channel's frames go: the other end's address on the link. */
export interface Route {
  frame(frame: ControlFrame): void;
  /** The parameters are those of `BatchWriter.data`, without the address. */
  data(connection: number, flags: number, offset: number, previousSegment: number, payload: Uint8Array): number;
}

/** What a channel is made with. */
export interface ChannelStart {
  /** The id as it stands in frames from the other end: with `openerBit` where that end opened. */
  readonly key: number;
  /** The other end's name. */
  readonly peer: string;
  readonly protocol: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** How much the other end may send beyond what was taken here. */
  readonly windowBytes: number;
  readonly maxMessageBytes: number;
  /** Up to where this end may send: 0 until an accept tells. */
  readonly sendLimit: number;
  /** The channel is over: no frame for it makes a difference any more. Comes exactly once, with the route if it had one. */
  readonly onOver: (route: Route | undefined) => void;
}

/**
 * One end of a Connection: its handshake, its two halves and its end. Pure: frames and calls in, frames out.
 *
 *     opening ── accept ──▸ open ── both halves done ──▸ over
 *     pending ── accept ──▸   └──── reset, peer gone ───▸ over
 */
export class Channel {
  readonly key: number;
  readonly peer: string;
  readonly protocol: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly maxMessageBytes: number;
  readonly sender: Sender;
  readonly receiver: Receiver;
  readonly #connection: number;
  readonly #onOver: (route: Route | undefined) => void;
  readonly #accepted = Promise.withResolvers<undefined>();
  readonly #closed = Promise.withResolvers<ConnectionError | undefined>();
  #state: "opening" | "pending" | "open" | "over";
  #route: Route | undefined;
  #segment = 0;

  /** @param route is known from the start for a channel that the other end opened. */
  constructor(start: ChannelStart, route?: Route) {
    this.key = start.key;
    this.peer = start.peer;
    this.protocol = start.protocol;
    this.metadata = start.metadata;
    this.maxMessageBytes = start.maxMessageBytes;
    this.#connection = (start.key ^ openerBit) >>> 0;
    this.#onOver = start.onOver;
    this.#state = route === undefined ? "opening" : "pending";
    this.#route = route;
    // Who doesn't wait for the answer still learns of the failure from the calls that follow.
    this.#accepted.promise.catch(() => undefined);

    const connection = this.#connection;
    this.sender = new Sender(
      {
        data: (flags, offset, payload) => {
          this.#segment = this.#route?.data(connection, flags, offset, this.#segment, payload) ?? 0;
        },
        fin: (offset) => {
          this.#write({ kind: "fin", connection, offset });
          this.#endIfDone();
        },
      },
      start.sendLimit,
    );
    this.receiver = new Receiver(
      {
        credit: (received, limit) => {
          if (this.#state === "open") this.#write({ kind: "credit", connection, received, limit });
        },
        unfit: (error) => {
          this.#fault(error);
        },
      },
      start.windowBytes,
      start.maxMessageBytes,
    );
  }

  /** Resolves when the other end takes the open; rejects when the channel ends before. */
  get accepted(): Promise<undefined> {
    return this.#accepted.promise;
  }

  /** Resolves when the channel is over: with `undefined` when both ends closed it, with the error otherwise. */
  get closed(): Promise<ConnectionError | undefined> {
    return this.#closed.promise;
  }

  get isPending(): boolean {
    return this.#state === "pending";
  }

  get isOver(): boolean {
    return this.#state === "over";
  }

  /**
   * Begins to send before the open is out, and returns the frames that go with it: of a message longer than one frame,
   * the first. The rest follows the accept.
   */
  early(message: Message): Uint8Array {
    const bytes = typeof message === "string" ? new TextEncoder().encode(message) : message;
    const count = Math.min(bytes.length, limits.maxPayloadBytes);
    let early = new Uint8Array();
    const overheadBytes = 64;
    const writer = new BatchWriter((batch) => (early = batch.subarray(segmentHeaderBytes)), count + overheadBytes);
    this.#route = {
      data: (...frame) => writer.data(routerAddress, ...frame),
      frame: () => undefined,
    };
    this.sender.grant(count + limits.frameCostBytes);
    // What doesn't fit is sent later, when the bytes are the caller's again. Should it fail, then the open fails, and tells.
    const own = message === bytes && count < bytes.length ? bytes.slice() : message;
    this.sender.send(own, undefined).catch(() => undefined);
    writer.flush();
    this.#route = undefined;
    return early;
  }

  /** The router said where the open went. */
  bind(route: Route): void {
    this.#route = route;
  }

  /** The router refused the open. */
  refuse(code: number, reason: string): void {
    this.fail(this.error(connectionCode(code), reason));
  }

  /** Takes the other end's open. Only the first call does something. */
  accept(): void {
    if (this.#state !== "pending") return;
    this.#state = "open";
    this.#write({ kind: "accept", connection: this.#connection, limit: this.receiver.limit });
  }

  /** Refuses the other end's open. */
  reject(code: number, reason: string): void {
    const text = shortened(reason);
    this.#write({ kind: "reject", connection: this.#connection, code, reason: text });
    this.#end(this.error(connectionCode(code), `refused here: ${text}`));
  }

  /** Sends one message; see `Sender.send`. */
  send(message: Message, signal: AbortSignal | undefined): Promise<void> {
    this.accept();
    if (this.sender.hasEnded) return Promise.reject(this.error("closed", "this end has ended its direction"));
    return this.sender.send(message, signal);
  }

  /** Half-close, after all that was sent before. */
  end(signal: AbortSignal | undefined): Promise<void> {
    this.accept();
    this.#endIfDone();
    return this.sender.end(signal);
  }

  /** Reads no more, and throws away what still arrives. */
  stop(): void {
    this.accept();
    if (this.#state === "open" && !this.receiver.isDone) this.#write({ kind: "stop", connection: this.#connection });
    this.receiver.discard(this.error("closed", "closed here"));
    this.#endIfDone();
  }

  /** Half-close, and throws away what still arrives. Of a channel that is over it asks nothing. */
  close(signal: AbortSignal | undefined): Promise<void> {
    const wasOver = this.isOver;
    this.stop();
    return wasOver ? Promise.resolve() : this.sender.end(signal);
  }

  /** Ends both directions at once and tells the other end. */
  reset(code: number, reason: string, error: ConnectionError): void {
    if (this.#state === "over") return;
    this.#write({ kind: "reset", connection: this.#connection, code, reason: shortened(reason) });
    // Before the end is told to those who wait, or they would be served what arrived.
    this.receiver.discard(error);
    this.#end(error);
  }

  /** The Connection is lost, and the other end knows or can't be told. What arrived before can still be received. */
  fail(error: ConnectionError): void {
    if (this.#state !== "over") this.#end(error);
  }

  /** A frame from the other end. */
  receive(frame: PeerFrame): void {
    if (this.#state === "over") return;
    try {
      this.#handle(frame);
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      this.#fault(error);
    }
  }

  /** An error that names the peer and the protocol. */
  error(code: string, what: string, options?: ErrorOptions): ConnectionError {
    const doing =
      this.#state === "opening"
        ? `Cannot open "${this.protocol}" to "${this.peer}"`
        : `Connection "${this.protocol}" with "${this.peer}"`;
    return new ConnectionError(code, `${doing}: ${what}`, this, options);
  }

  #handle(frame: PeerFrame): void {
    if (this.#state !== "open" && !allowedBefore[this.#state]?.has(frame.kind)) {
      throw new Violation(`Frame "${frame.kind}" before the accept`);
    }
    switch (frame.kind) {
      case "data":
        this.receiver.data(frame);
        break;
      case "credit":
        this.sender.grant(frame.limit);
        break;
      case "fin":
        this.receiver.fin(frame.offset);
        this.#endIfDone();
        break;
      case "accept":
        if (this.#state !== "opening") throw new Violation("An accept that nobody waits for");
        this.#state = "open";
        this.#accepted.resolve(undefined);
        this.sender.grant(frame.limit);
        break;
      case "stop":
        this.sender.stop(this.error("closed", `"${this.peer}" has closed it`));
        this.#endIfDone();
        break;
      case "reject":
      case "reset":
        this.#end(this.error(connectionCode(frame.code), sentence(this.peer, frame.code, frame.reason)));
        break;
    }
  }

  #fault(fault: Violation | MessageTooLarge): void {
    const code = fault instanceof Violation ? errorCodes.violation : errorCodes.messageTooLarge;
    const error = this.error(connectionCode(code), `${fault.message} came from "${this.peer}"`);
    this.receiver.discard(error);
    this.reset(code, fault.message, error);
  }

  #write(frame: ControlFrame): void {
    this.#route?.frame(frame);
  }

  #endIfDone(): void {
    if (this.#state === "open" && this.sender.isDone && this.receiver.isDone) this.#end(undefined);
  }

  #end(error: ConnectionError | undefined): void {
    this.#state = "over";
    const late = error ?? this.error("closed", "it is closed");
    this.#accepted.reject(late);
    this.sender.fail(late);
    this.receiver.fail(late);
    this.#closed.resolve(error);
    this.#onOver(this.#route);
  }
}

/** What the other end may say before the accept, by the state of this end. */
const allowedBefore: Readonly<Record<string, ReadonlySet<PeerFrame["kind"]>>> = {
  opening: new Set(["accept", "reject", "reset"]),
  pending: new Set(["data", "fin", "reset"]),
};

/** What a code from the other end means, for people. Its reason is quoted, since it is somebody else's text. */
function sentence(peer: string, code: number, reason: string): string {
  const quoted = reason === "" ? "" : `: ${JSON.stringify(reason)}`;
  switch (code) {
    case errorCodes.unknownProtocol:
      return `"${peer}" does not handle this protocol`;
    case errorCodes.rejected:
      return `"${peer}" refused it${quoted}`;
    case errorCodes.handlerFailed:
      return `the handler at "${peer}" failed`;
    case errorCodes.aborted:
      return `"${peer}" aborted it${quoted}`;
    case errorCodes.openTimedOut:
      return `"${peer}" waited too long for the answer to its open`;
    case errorCodes.tooManyConnections:
      return `"${peer}" takes no more Connections${quoted}`;
    case errorCodes.messageTooLarge:
      return `"${peer}" takes no message of that size${quoted}`;
    case errorCodes.violation:
      return `"${peer}" says that this end broke the protocol${quoted}`;
    default:
      return `"${peer}" ended it with code ${code}${quoted}`;
  }
}

/** A reason that fits into a frame. A character is at most 3 bytes for each of its UTF-16 units. */
function shortened(reason: string): string {
  return reason
    .toWellFormed()
    .slice(0, Math.floor(limits.maxReasonBytes / 3))
    .toWellFormed();
}
