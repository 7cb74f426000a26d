import {
  type ControlFrame,
  cutText,
  type DataFrame,
  errorCodes,
  flipOpenerBit,
  limits,
  type PeerFrame,
} from "@messagepasser/protocol";
import { connectionCode, ConnectionError, type ConnectionErrorCode } from "../errors.ts";
import type { Turn } from "../link/turns.ts";
import type { ConnectionStatus } from "../status.ts";
import type { ChannelStart, Opened } from "./channel-start.ts";
import { checkOrder } from "./frame-order.ts";
import type { Message } from "./message.ts";
import { Receiver } from "./receiver.ts";
import { type Destination, Route } from "./route.ts";
import { Sender } from "./sender.ts";
import type { Tended } from "./upkeep.ts";
import { type Unfit, Violation } from "./violation.ts";
import { sentence } from "./error-text.ts";

/**
 * One end of a Connection: its handshake, its two halves and its end. It outlives links: between two links it has no
 * route, and on each new route both ends first say where they stand, by a credit. Pure: frames, calls and time in,
 * frames out.
 *
 *     opening ── credit ──▸ open ── both halves done ──▸ (done sent) ── done ──▸ over
 *     pending ── accept ──▸   └──── reset ─────▸ over for the program, until the other end has answered by done
 */
export class Channel implements Turn, Tended {
  readonly key: number;
  readonly peer: string;
  readonly protocol: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly maxMessageBytes: number;
  readonly sender: Sender;
  readonly receiver: Receiver;
  /** How often the open was sent from here. */
  opens = 0;
  readonly #connection: number;
  readonly start: ChannelStart;
  readonly #accepted = Promise.withResolvers<undefined>();
  readonly #closed = Promise.withResolvers<ConnectionError | undefined>();
  /** Resolves when the open is accepted, by whichever end; rejects if the channel ends before. */
  readonly accepted: Promise<undefined> = this.#accepted.promise;
  /** Resolves when the channel has ended: to `undefined` if both ends closed it, otherwise to the error. */
  readonly closed: Promise<ConnectionError | undefined> = this.#closed.promise;
  #state: "opening" | "pending" | "open" | "over";
  #route: Route | undefined;
  /** The reset that ended the Connection here: sent again on each new route, until the other end has answered. */
  #lastWord: ControlFrame | undefined;
  #isForgotten = false;
  /** Whether this end has said, or is to say, that it reads no more. */
  #isStopping = false;
  #isTended = false;

  /** @param opened where the other end opened. */
  constructor(start: ChannelStart, opened?: Opened) {
    this.key = start.key;
    this.peer = start.peer;
    this.protocol = start.protocol;
    this.metadata = start.metadata;
    this.maxMessageBytes = start.maxMessageBytes;
    this.#connection = flipOpenerBit(start.key);
    this.start = start;
    this.#state = opened === undefined ? "opening" : "pending";
    this.#route = opened?.from && new Route(opened.from, this.#connection, true);
    // A caller that doesn't wait for the answer still gets the failure from its next calls.
    this.#accepted.promise.catch(() => undefined);

    const connection = this.#connection;
    this.sender = new Sender(
      {
        readyBytes: () => {
          const route = this.#route;
          return route?.isInStep === true && !route.carrier.isFull ? route.carrier.pieceBytes : -1;
        },
        data: (flags, offset, payload) => {
          this.#route?.carrier.data(this.#route, flags, offset, payload);
          this.#tendLater();
        },
        waitForAcknowledgement: () => {
          this.#tendLater();
        },
        fin: (offset) => {
          this.#write({ kind: "fin", connection, offset });
          this.#sayDone();
        },
        yield: (granted, limit) => {
          if (this.#isInStep) this.#write({ kind: "yield", connection, granted, limit });
        },
        requestTurn: () => {
          const route = this.#route;
          if (route?.isInStep !== true || route.hasTurn) return;
          route.hasTurn = true;
          route.carrier.requestTurn(this);
        },
        abort: (cause) => {
          this.reset(errorCodes.aborted, "", this.error("aborted", cause.message, { cause }));
        },
      },
      start.path.account.kept,
      opened?.limit ?? 0,
    );
    this.receiver = new Receiver(
      {
        credit: (received, limit) => {
          // Also before the other end's position has come: this end's has gone, and knows nothing of this.
          if (this.#state === "open") this.#write({ kind: "credit", connection, received, limit });
        },
        unfit: this.#fault.bind(this),
      },
      start.maxMessageBytes,
      start.shared.clock.now,
      start.path,
    );
    if (opened === undefined) this.receiver.begin();
  }

  get #isInStep(): boolean {
    return this.#route?.isInStep === true;
  }

  get isPending(): boolean {
    return this.#state === "pending";
  }

  get isOver(): boolean {
    return this.#state === "over";
  }

  /** Whether the other end can be reached. */
  get status(): ConnectionStatus {
    return this.isOver ? { kind: "closed" } : (this.start.home.peer?.status ?? { kind: "online" });
  }

  /** Takes the first message, which came with the open. */
  receiveFirst(frame: DataFrame): void {
    try {
      this.receiver.data(frame);
    } catch (error) {
      this.#caught(error);
    }
  }

  /** The other end can be reached, at an address where it was not reached before. */
  bind(to: Destination): void {
    this.unbind();
    this.#route = new Route(to, this.#connection, false);
    if (this.#lastWord !== undefined) this.#write(this.#lastWord);
    else if (this.#state === "opening") this.start.reopen();
    else if (this.#state === "open") this.#writeCredit();
  }

  /** The open was just sent on this route, for the first time. */
  routed(to: Destination): void {
    if (this.#lastWord === undefined) this.#route = new Route(to, this.#connection, false);
    else this.bind(to);
  }

  /** The other end can't be reached for now. */
  unbind(): void {
    this.#route = undefined;
  }

  /** Takes the other end's open. Only the first call does something. */
  accept(): void {
    if (this.#state !== "pending") return;
    this.#state = "open";
    this.#accepted.resolve(undefined);
    this.receiver.begin();
    this.#writeCredit();
  }

  /** Refuses the other end's open. */
  reject(code: number, reason: string): void {
    this.reset(code, reason, this.error(connectionCode(code), `refused here: ${reason}`));
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
    return this.sender.end(signal);
  }

  /** Reads no more, and throws away what still arrives. */
  stop(): void {
    this.accept();
    if (this.#state === "open" && !this.receiver.isDone) {
      this.#isStopping = true;
      if (this.#isInStep) this.#write({ kind: "stop", connection: this.#connection });
    }
    this.receiver.discard(() => this.error("closed", "closed here"));
    this.#sayDone();
  }

  /** Half-close, and throws away what still arrives. Does nothing to a channel that is over. */
  close(signal: AbortSignal | undefined): Promise<void> {
    const wasOver = this.isOver;
    this.stop();
    return wasOver ? Promise.resolve() : this.sender.end(signal);
  }

  /** Ends both directions at once and tells the other end. */
  reset(code: number, reason: string, error: ConnectionError): void {
    if (this.#state === "over") return;
    const text = cutText(reason, limits.maxReasonBytes);
    this.#lastWord = { kind: "reset", connection: this.#connection, code, reason: text };
    this.#write(this.#lastWord);
    // Discard first: otherwise the waiting calls would get what had arrived, instead of the error.
    this.receiver.discard(() => error);
    this.#end(error);
  }

  /** The Connection is lost, and the other end knows or can't be told. What arrived before can still be received. */
  fail(error: ConnectionError): void {
    if (this.#state !== "over") this.#end(error);
    this.forget();
  }

  /** Nothing is to be said to the other end any more: it knows of the end, or will never ask. */
  forget(): void {
    if (this.#isForgotten) return;
    this.#isForgotten = true;
    this.unbind();
    this.start.onForgotten();
  }

  /** A frame from the other end. */
  receive(frame: PeerFrame): void {
    if (this.#state === "over") {
      this.#hearEnd(frame);
      return;
    }
    try {
      if (!this.#isInStep || this.#state === "pending") checkOrder(frame.kind, this.#state === "pending");
      // Apart from the other kinds, which would make this too large for V8 to inline.
      if (frame.kind === "data") {
        this.receiver.data(frame);
        this.#tendLater();
      } else this.#handle(frame);
    } catch (error) {
      this.#caught(error);
    }
  }

  /** Sends what there is to send, a frame or so. */
  takeTurn(): boolean {
    const route = this.#route;
    if (route === undefined) return false;
    route.hasTurn = route.isInStep && this.sender.takeTurn();
    return route.hasTurn;
  }

  tend(): boolean {
    this.#isTended = false;
    if (!this.#isInStep || this.#state !== "open") return false;
    this.receiver.acknowledge();
    this.#isTended = this.sender.tend();
    return this.#isTended;
  }

  /** An error that names the peer and the protocol. */
  error(code: ConnectionErrorCode, what: string, options?: ErrorOptions): ConnectionError {
    const doing =
      this.#state === "opening"
        ? `Cannot open "${this.protocol}" to "${this.peer}"`
        : `Connection "${this.protocol}" with "${this.peer}"`;
    return new ConnectionError(code, `${doing}: ${what}`, this, options);
  }

  /** Where the other end broke a rule, the Connection ends. */
  #caught(error: unknown): void {
    if (!(error instanceof Violation)) throw error;
    this.#fault(error);
  }

  #handle(frame: ControlFrame & PeerFrame): void {
    switch (frame.kind) {
      case "credit":
        if (this.#isInStep) this.sender.credit(frame.received, frame.limit);
        else this.#hearPosition(frame.received, frame.limit);
        // The program may not use all of it: the rest is given back.
        this.#tendLater();
        break;
      case "fin":
        this.receiver.fin(frame.offset);
        // A FIN is the last that comes, so nothing later would acknowledge it.
        if (this.isDone) this.#sayDone();
        else this.receiver.acknowledge();
        break;
      case "stop":
        this.sender.stop(() => this.error("closed", `"${this.peer}" has closed it`));
        this.#sayDone();
        break;
      case "yield":
        this.receiver.yielded(frame.granted, frame.limit);
        break;
      case "done":
        this.#end(this.isDone ? undefined : this.error("peer-gone", `"${this.peer}" no longer knows of it`));
        this.forget();
        break;
      case "reset":
        this.#end(this.error(connectionCode(frame.code), sentence(this.peer, frame.code, frame.reason)));
        this.#hearEnd(frame);
        break;
    }
  }

  /** Handles a frame for a Connection that has ended here: only `reset` and `done` matter. */
  #hearEnd({ kind }: PeerFrame): void {
    if (kind !== "reset" && kind !== "done") return;
    if (kind === "reset") this.#write({ kind: "done", connection: this.#connection });
    this.forget();
  }

  /** The other end says where it stands on a new route: it gets what it lacks, and what was said before. */
  #hearPosition(received: number, limit: number): void {
    if (this.#state === "opening") {
      this.#state = "open";
      this.#accepted.resolve(undefined);
      // An acceptor that got the open on another route waits here for where this end stands.
      if (this.opens > 1) this.#writeCredit();
    }
    if (this.#route !== undefined) this.#route.isInStep = true;
    if (this.#isStopping) this.#write({ kind: "stop", connection: this.#connection });
    this.sender.resume(received, limit);
    this.#sayDone();
  }

  /** Says where this end stands. */
  #writeCredit(): void {
    this.#write({ kind: "credit", connection: this.#connection, ...this.receiver.position() });
  }

  #tendLater(): void {
    if (this.#isTended) return;
    this.#isTended = true;
    this.start.shared.upkeep.add(this);
  }

  #fault(fault: Violation | Unfit): void {
    const code = fault instanceof Violation ? errorCodes.violation : fault.code;
    const error = this.error(connectionCode(code), `${fault.message} came from "${this.peer}"`);
    this.receiver.discard(() => error);
    this.reset(code, fault.message, error);
  }

  #write(frame: ControlFrame): void {
    this.#route?.carrier.frame(this.#route.address, frame);
  }

  /** Both halves have ended here; the other end may still have to be told. */
  get isDone(): boolean {
    return this.#state === "open" && this.sender.isDone && this.receiver.isDone;
  }

  /** Tells the other end, once both halves are done, that all has come and gone from here. */
  #sayDone(): void {
    const route = this.#route;
    if (route?.isInStep !== true || route.hasSaidDone || !this.isDone || !this.sender.isTold) return;
    route.hasSaidDone = true;
    this.#write({ kind: "done", connection: this.#connection });
  }

  #end(error: ConnectionError | undefined): void {
    this.#state = "over";
    // One that ends well was accepted.
    if (error !== undefined) this.#accepted.reject(error);
    const late = (): ConnectionError => error ?? this.error("closed", "it is closed");
    this.sender.fail(late);
    this.receiver.fail(late);
    this.#closed.resolve(error);
  }
}
