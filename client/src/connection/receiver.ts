import { ByteBuffer, type DataFrame, errorCodes, limits } from "@messagepasser/protocol";
import type { Granter } from "../link/downlink.ts";
import { Queue } from "../queue.ts";
import { waiting, type Waiting } from "../waiting.ts";
import type { Assembler } from "./assemblies.ts";
import type { Grants } from "./budget.ts";
import { Credit } from "./credit.ts";
import type { Failure } from "./failure.ts";
import { HeldFrames } from "./held-frames.ts";
import type { Holder, Leftover } from "./leftovers.ts";
import type { Message } from "./message.ts";
import type { Account, Path } from "./path.ts";
import { Unfit, Violation } from "./violation.ts";

/** What a receiver needs from its Connection. */
export interface ReceiverSink {
  /** Tells the other end what arrived and how far it may go. */
  credit(received: number, limit: number): void;
  /** What arrived can't be made a message: the Connection must end, and call `discard`. */
  unfit(error: Violation | Unfit): void;
}

/** What it shares with others of the same peer. */
type ReceiverPath = Pick<Path, "roundTrip" | "downlink"> & { readonly account: Omit<Account, "kept"> };

interface Waiter extends Waiting<Message | DataFrame | undefined> {
  /** Whether it takes pieces as they come, as byte streams do. */
  readonly takesPieces: boolean;
}

/** What an open may carry before anything was granted: one full frame. */
const firstLimit = limits.maxPayloadBytes + limits.frameCostBytes;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The receiving half of a Connection: holds what arrived until it is asked for, puts messages together again and grants
 * credit as they are taken. Pure: no socket, no clock.
 */
export class Receiver implements AsyncIterator<Message, undefined>, Assembler, Granter, Holder {
  readonly #sink: ReceiverSink;
  readonly #budget: Grants;
  readonly #credit: Credit;
  readonly #maxMessageBytes: number;
  readonly #account: ReceiverPath["account"];
  readonly #frames: HeldFrames;
  readonly #waiters = new Queue<Waiter>();
  /** A message of which a waiting `receive` took the first pieces, but not the last. */
  #assembly: ByteBuffer | undefined;
  /** Offset up to which all arrived. */
  #received = 0;
  /** Offset up to which all was taken. */
  #taken = 0;
  /** What the other end was last told of `#received`. */
  #told = 0;
  #limit: number = firstLimit;
  /** Whether the other end counts credit. One that doesn't gets none, and `Account.uncounted` bounds it. */
  #isCounted = true;
  #uncountedBytes = 0;
  /** Whether the last frame left its message unfinished, and whether that is text. Two fields: see `data`. */
  #isInMessage = false;
  #isText = false;
  #hasFin = false;
  #failure: Failure | undefined;
  /** Why the Connection has ended, where what had arrived can still be read. */
  #end: Failure | undefined;
  #leftover: Leftover | undefined;
  /** What of the client's budget is granted here. */
  #grantedBytes = 0;

  constructor(sink: ReceiverSink, maxMessageBytes: number, now: () => number, path: ReceiverPath) {
    this.#sink = sink;
    this.#budget = path.account.budget;
    this.#maxMessageBytes = maxMessageBytes;
    this.#account = path.account;
    this.#frames = new HeldFrames(path.account.batches);
    this.#credit = new Credit(now, path, this);
    this.#credit.begin(firstLimit);
  }

  /** Grants the first window, beyond what came early. */
  begin(): void {
    this.#limit = this.#received;
    this.#grantedBytes = this.#budget.take(this.#received, this.#received);
    this.#credit.begin(this.#received);
    // Nothing comes after a FIN, which may have come with the open.
    if (!this.#hasFin) this.#grant(this.#credit.firstWindowBytes, limits.minWindowBytes);
  }

  /** Where this half stands, for the `credit` that goes first on a new pair. */
  position(): { received: number; limit: number } {
    this.#told = this.#received;
    return { received: this.#received, limit: this.#limit };
  }

  /** Nothing more will arrive. */
  get isDone(): boolean {
    return this.#hasFin || this.#failure !== undefined;
  }

  /** A data frame arrived. @throws Violation */
  data(frame: DataFrame): void {
    if (this.#failure !== undefined) return;
    if (this.#hasFin) throw new Violation("Data after the FIN");
    // With one field that may be undefined, V8 gives this method's machine code up again and again.
    if (this.#isInMessage && this.#isText !== frame.text) throw new Violation("A message of text and bytes");
    // A sender that counts credit begins with an offset.
    if (this.#received === 0) this.#isCounted = frame.offset !== undefined;
    this.#advance(frame.offset, frame.payload.length + limits.frameCostBytes);
    // It was too much, and all that came before is thrown away.
    if (this.isDone) return;
    this.#isInMessage = !frame.last;
    this.#isText = frame.text;
    this.#frames.push(frame);
    if (this.#waiters.length > 0) this.serve();
  }

  /** The FIN arrived. @throws Violation */
  fin(offset: number): void {
    if (this.#failure !== undefined) return;
    if (this.#hasFin) throw new Violation("A second FIN");
    if (this.#isInMessage) throw new Violation("FIN inside a message");
    // What waits to be taken still counts: or one FIN after the other would fill the memory.
    const unusedBytes = this.#isCounted ? this.#limit - this.#received : this.#grantedBytes;
    // An uncounted sender's FIN has offset `maxOffset`.
    if (this.#isCounted && offset !== limits.maxOffset) this.#advance(offset, limits.frameCostBytes);
    this.#giveBack(Math.min(unusedBytes, this.#grantedBytes));
    this.#hasFin = true;
    this.#credit.end(this.#limit);
    this.serve();
  }

  /** The other end gives back what it was granted past `limit`, unless it was granted more meanwhile. @throws Violation */
  yielded(granted: number, limit: number): void {
    if (this.isDone || granted !== this.#limit) return;
    if (limit < this.#received || limit > granted) throw new Violation(`A yield from ${granted} to ${limit}`);
    this.#giveBack(granted - limit);
    this.#credit.yielded(granted - limit);
    this.#limit = limit;
    this.#told = this.#received;
    this.#sink.credit(this.#received, limit);
  }

  /** Acknowledges what arrived, if that was not told yet. */
  acknowledge(): void {
    if (this.#failure !== undefined || this.#told === this.#received || !this.#isCounted) return;
    this.#told = this.#received;
    this.#sink.credit(this.#received, this.#limit);
  }

  /**
   * The next message, or `undefined` when the other end has sent its last.
   *
   * @throws whatever error ended the half, once all that had arrived is taken; or the signal's reason.
   */
  receive(signal: AbortSignal | undefined): Promise<Message | undefined> {
    const message = signal === undefined ? this.#takeWhole() : undefined;
    return message === undefined ? this.#waitForMessage(signal) : Promise.resolve(message);
  }

  /** The same as a step of an iteration. Written out, since a `then` for each message would cost as much as the rest. */
  next(): Promise<IteratorResult<Message, undefined>> {
    const message = this.#takeWhole();
    if (message !== undefined) return Promise.resolve({ done: false, value: message });
    return this.#waitForMessage(undefined).then((value) =>
      value === undefined ? { done: true, value } : { done: false, value },
    );
  }

  /** The next frame, without regard to messages; otherwise as `receive`. */
  async receivePiece(): Promise<DataFrame | undefined> {
    // Waiters that take pieces get frames.
    return (await this.#wait(true, undefined)) as DataFrame | undefined;
  }

  /** Ends the half with an error for waiting calls and, once what had arrived is taken, for later ones. */
  fail(failure: Failure): void {
    if (this.#frames.length === 0) this.#dropAssembly();
    else this.#leaveBehind(failure);
    this.#return();
    if (this.isDone) return;
    this.#failure = failure;
    this.serve();
  }

  /** Throws away what arrived and ends the half with an error. */
  discard(failure: Failure): void {
    this.#frames.clear();
    this.#dropAssembly();
    this.#dropLeftover();
    this.#failure = failure;
    this.#return();
    this.serve();
  }

  /** Throws away what arrived before the Connection's end: the peer has left too much of it. */
  drop(): void {
    if (this.#end !== undefined) this.discard(this.#end);
  }

  /** Fast path: takes a whole message of bytes that has already arrived. `undefined` if the next message isn't one. */
  #takeWhole(): Uint8Array | undefined {
    const frame = this.#frames.peek();
    if (frame === undefined || !frame.last || frame.text || frame.payload.length > this.#maxMessageBytes)
      return undefined;
    if (this.#assembly !== undefined || this.#waiters.length > 0) return undefined;
    this.#take();
    return frame.payload;
  }

  #advance(offset: number | undefined, cost: number): void {
    if (!this.#isCounted) {
      this.#received += cost;
      this.#holdUncounted(cost);
      if (this.#account.uncounted.isFull) {
        const what = "More than there is room for, and without regard to credit,";
        this.#sink.unfit(new Unfit(errorCodes.overrun, what));
      }
      return;
    }
    if (offset !== undefined && offset !== this.#received) {
      throw new Violation(`Offset ${offset} where ${this.#received} was due`);
    }
    if (this.#received + cost > this.#limit) throw new Violation(`Data past the limit of ${this.#limit}`);
    this.#received += cost;
    if (this.#received > this.#credit.tellAt) this.#credit.arrived(this.#received);
  }

  #waitForMessage(signal: AbortSignal | undefined): Promise<Message | undefined> {
    // Only waiters that take pieces get frames.
    return this.#wait(false, signal) as Promise<Message | undefined>;
  }

  #wait(takesPieces: boolean, signal: AbortSignal | undefined): Promise<Message | DataFrame | undefined> {
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    const { promise, resolve, reject } = waiting<Message | DataFrame | undefined>(signal, () => {
      this.#waiters.remove(waiter);
      // Others need not wait until somebody asks for its message again.
      if (this.#waiters.length === 0) this.#account.assemblies.release(this, 0);
    });
    // Written out, since spreading takes as long as all else here.
    const waiter: Waiter = { resolve, reject, takesPieces };
    this.#waiters.push(waiter);
    this.serve();
    return promise;
  }

  /** Gives waiting calls what has arrived, piece by piece, so that a message larger than the window gets through. */
  serve(): void {
    let waiter: Waiter | undefined;
    while ((waiter = this.#waiters.peek()) !== undefined) {
      const frame = this.#frames.peek();
      if (frame === undefined) {
        this.#serveEnd();
        return;
      }
      if (!waiter.takesPieces && !frame.last && !this.#mayAssemble()) return;
      this.#take();
      if (waiter.takesPieces) {
        this.#waiters.shift();
        waiter.resolve(frame);
        continue;
      }
      this.#serveMessage(waiter, frame);
    }
  }

  /** Whether another piece may be put to the unfinished message. */
  #mayAssemble(): boolean {
    const { assemblies } = this.#account;
    if (!assemblies.mayGrow(this)) return false;
    // One message is always let through, but not one of each of any number of peers.
    if (!assemblies.isPastBy(this.#maxMessageBytes)) return true;
    this.#sink.unfit(new Unfit(errorCodes.overrun, "More unfinished messages than there is room for"));
    return false;
  }

  #serveMessage(waiter: Waiter, frame: DataFrame): void {
    const sizeBytes = (this.#assembly?.length ?? 0) + frame.payload.length;
    if (sizeBytes > this.#maxMessageBytes) {
      const what = `A message of more than ${this.#maxMessageBytes} bytes`;
      this.#sink.unfit(new Unfit(errorCodes.messageTooLarge, what));
      return;
    }
    if (!frame.last) {
      const assembly = (this.#assembly ??= new ByteBuffer());
      const { capacityBytes } = assembly;
      assembly.append(frame.payload);
      this.#account.assemblies.add(assembly.capacityBytes - capacityBytes);
      return;
    }
    let message: Message | undefined;
    try {
      message = this.#finish(frame);
    } catch {
      this.#sink.unfit(new Violation("Text that is not UTF-8"));
      return;
    }
    this.#waiters.shift();
    waiter.resolve(message);
  }

  /** The message whose last piece this is. @throws TypeError for text that isn't UTF-8. */
  #finish({ text, payload }: DataFrame): Message {
    const assembly = this.#assembly;
    if (assembly === undefined) return text ? decoder.decode(payload) : payload;
    this.#assembly = undefined;
    const { capacityBytes } = assembly;
    assembly.append(payload);
    const bytes = assembly.take();
    this.#account.assemblies.release(this, capacityBytes);
    return text ? decoder.decode(bytes) : bytes;
  }

  #dropAssembly(): void {
    const bytes = this.#assembly?.capacityBytes ?? 0;
    this.#assembly?.clear();
    this.#assembly = undefined;
    this.#account.assemblies.release(this, bytes);
  }

  /** The Connection has ended, and what had arrived can still be read: it goes on to take budget. */
  #leaveBehind(end: Failure): void {
    this.#end = end;
    if (this.#leftover !== undefined) return;
    const heldBytes = this.#frames.costBytes;
    const grantedBytes = Math.min(this.#grantedBytes, heldBytes);
    this.#leftover = this.#account.leftovers.add(this, heldBytes, grantedBytes);
    if (this.#leftover !== undefined) this.#grantedBytes -= grantedBytes;
  }

  #dropLeftover(): void {
    if (this.#leftover === undefined) return;
    this.#account.leftovers.remove(this.#leftover);
    this.#leftover = undefined;
  }

  #serveEnd(): void {
    if (!this.isDone) return;
    for (const waiter of this.#waiters.clear()) {
      if (this.#failure === undefined) waiter.resolve(undefined);
      else waiter.reject(this.#failure());
    }
  }

  #take(): void {
    const frame = this.#frames.shift();
    if (frame === undefined) return;
    const cost = frame.payload.length + limits.frameCostBytes;
    this.#taken += cost;
    if (this.#frames.length === 0) this.#dropLeftover();
    if (this.#failure !== undefined) return;
    // Nothing of it is left to give back once the Connection is over.
    if (this.#isCounted) this.#giveBack(Math.min(cost, this.#grantedBytes));
    else this.#holdUncounted(-Math.min(cost, this.#uncountedBytes));
    if (!this.#isCounted || this.#hasFin) return;
    if (this.#credit.isDue(this.#limit - this.#taken)) this.#credit.request();
  }

  /** Grants what the program has taken; a step of it, where the link is slow. */
  grantStep(): boolean {
    if (this.isDone) return false;
    this.#credit.arrived(this.#received);
    const needed = this.#taken + limits.minWindowBytes - this.#limit;
    if (needed < limits.minWindowBytes / 2 && !this.#budget.has(limits.minWindowBytes / 2)) return false;
    this.#credit.update(this.#taken, this.#limit);
    const { mostStepBytes } = this.#credit;
    const wanted = this.#taken + this.#credit.windowBytes - this.#limit;
    this.#grant(Math.min(wanted, mostStepBytes), Math.min(needed, mostStepBytes));
    this.#told = this.#received;
    this.#sink.credit(this.#received, this.#limit);
    return this.#credit.isDue(this.#limit - this.#taken);
  }

  #grant(wanted: number, needed: number): void {
    const granted = this.#budget.take(wanted, needed);
    this.#grantedBytes += granted;
    this.#limit += granted;
    this.#credit.granted(granted);
  }

  #giveBack(bytes: number): void {
    this.#grantedBytes -= bytes;
    this.#budget.give(bytes);
  }

  /** Returns everything that was granted, so that others may have it. */
  #return(): void {
    this.#giveBack(this.#grantedBytes);
    this.#credit.end(this.#limit);
    this.#holdUncounted(-this.#uncountedBytes);
  }

  #holdUncounted(bytes: number): void {
    this.#uncountedBytes += bytes;
    this.#account.uncounted.add(bytes);
  }
}
