import {
  goneReasons,
  limits,
  type PeerFrame,
  routerAddress,
  type RouterFrame,
  routerLimits,
} from "@messagepasser/protocol";
import { byteLength, creditToken, pieces, type WireMessage } from "@messagepasser/protocol/formats";
import { byNameAnswers } from "./by-name-answers.ts";
import { callOf } from "./calling.ts";
import { type Closing, closings } from "./closings.ts";
import { batchesOf, batchOf, routerMessages } from "./encoding.ts";
import type { Endpoint, Link, Sender } from "./link.ts";
import type { Share } from "./inflow.ts";
import { Meter } from "./meter.ts";
import { type Account, Principals } from "./principals.ts";
import { UnreadLimiter, type UnreadRuntime } from "./unread.ts";

/** A link to which nothing is sent any more, and which has to be closed. */
export interface GivenUp {
  readonly link: Link;
  readonly closing: Closing;
  /** Bytes of the message that the link could not be sent; 0 where no message made the router give it up. */
  readonly unsentBytes: number;
}

/** A principal that flooded a link, and whose pairs with the link have to be cut. */
export interface Flood {
  readonly to: Link;
  readonly payer: Account;
}

/**
 * Sends messages to links, each in the format of its link, with marks in between: the router holds in memory what a client
 * doesn't read. A link that reads too slowly is given up; `takeGivenUp` hands it to the caller, which closes it. Where
 * another principal filled the link, nothing more of that principal goes to it, and `takeFlood` says so.
 */
export class Delivery {
  readonly unread: UnreadLimiter;
  readonly principals = new Principals();
  readonly #now: () => number;
  #isGathering = false;
  /** Links whose outboxes wait for `handOver`. */
  readonly #waiting: Link[] = [];
  readonly #givenUp: GivenUp[] = [];
  readonly #floods: Flood[] = [];

  constructor(runtime: UnreadRuntime) {
    this.unread = new UnreadLimiter(runtime);
    this.#now = () => runtime.now();
  }

  /** What is unread of a link, on the account of the principal whose link it is. */
  meterOf(link: Sender): Meter {
    return link.memory.meter ?? this.#begin(link);
  }

  #begin(link: Sender): Meter {
    const meter = new Meter(this.principals.of(link));
    link.memory.meter = meter;
    this.unread.begin(meter);
    return meter;
  }

  /** Until `handOver`, small batches wait in their link's outbox and leave as one message: each costs workerd about 80 µs. */
  gather(): void {
    this.#isGathering = true;
  }

  /** Sends everything that waits in outboxes. */
  handOver(): void {
    this.#isGathering = false;
    for (let link = this.#waiting.shift(); link !== undefined; link = this.#waiting.shift()) this.empty(link);
  }

  /** Sends what waits in one link's outbox. */
  empty(link: Link): void {
    const { outbox } = link.memory;
    if (!outbox.isEmpty) link.send(outbox.take());
  }

  /** Sends frames of the router itself. @returns how many bytes they are */
  say(to: Link, ...frames: readonly RouterFrame[]): number {
    let bytes = 0;
    for (const message of routerMessages(to, frames)) {
      bytes += byteLength(message);
      this.send(to, message);
    }
    return bytes;
  }

  /** Tells a client that a peer is gone, or was never there. Before the two are unpaired. @param reason one of `goneReasons` */
  sayGone(to: Link, peer: Parameters<typeof callOf>[1], reason: number = goneReasons.lost): void {
    const { format } = to;
    if (format.addressing === "address") this.say(to, { kind: "gone", address: peer.address, reason });
    else for (const message of format.encodeGone(callOf(to, peer), reason)) this.send(to, message);
  }

  /** Sends frames of a peer, for which it pays unless it is a built-in one. @returns what the router must answer to their sender, because the recipient's format can't. */
  carry(to: Link, from: Endpoint, frames: readonly PeerFrame[], payer?: Sender): readonly PeerFrame[] {
    const { format } = to;
    if (format.addressing === "address") {
      for (const batch of batchesOf(format, from.address, pieces(frames))) this.send(to, batch, payer);
      return [];
    }
    for (const message of format.encodePeer(frames, callOf(to, from), to.name)) this.send(to, message, payer);
    const { answers, credits } = byNameAnswers(frames);
    for (const [connection, offset] of credits)
      this.send(to, format.encodeMark(creditToken(from.address, connection, offset)));
    return answers;
  }

  /** The client has read up to the mark with this token. */
  reached(link: Link, token: number): void {
    this.#mark(link, this.unread.reached(this.meterOf(link), token));
  }

  /**
   * Sends a message, unless the link is over or has no room for it, in which case the link is given up.
   *
   * @param from whose principal pays for the message, if that isn't the link itself
   */
  send(to: Link, message: WireMessage, from?: Sender): void {
    if (to.memory.isOver) return;
    const bytes = byteLength(message);
    const meter = this.meterOf(to);
    const share = from && meter.marks.length > 0 ? this.#shareOf(from, meter) : undefined;
    if (share !== undefined) {
      if (share.isCut) return;
      share.add(meter.markCount, bytes);
      if (this.unread.isFlood(meter, share.unreadBytes) || this.unread.causesTooMuch(share)) {
        this.#cut(to, share);
        return;
      }
    }
    // What others send leaves room for the router's own frames, such as the end of a pair.
    if (!this.unread.admits(meter, share === undefined ? bytes : bytes + limits.firstMarkBytes)) {
      // The principal that sent most of it loses the pair; the client keeps its link.
      if (share !== undefined && 2 * share.unreadBytes > meter.heldBytes) this.#cut(to, share);
      else this.giveUp({ link: to, closing: closings.tooSlow, unsentBytes: bytes });
      return;
    }
    const clockBytes = from === undefined ? 0 : this.#sayClock(to, meter, bytes);
    this.#pass(to, message);
    this.#mark(to, this.unread.count(meter, clockBytes + bytes));
  }

  /** What a principal has sent to a link; `undefined` where it is the link's own. */
  #shareOf(from: Sender, meter: Meter): Share | undefined {
    const payer = this.meterOf(from).account.payerTo(meter.account);
    return payer === meter.account ? undefined : meter.inflow.of(payer);
  }

  #cut(to: Link, share: Share): void {
    share.isCut = true;
    this.#floods.push({ to, payer: share.by });
  }

  /** The next principal whose pairs with a link have to be cut. */
  takeFlood(): Flood | undefined {
    return this.#floods.shift();
  }

  /** Whether a link may be sent a first message, which its client has not granted: not where it comes close to a flood. */
  admitsFirst(to: Link, from: Sender, bytes: number): boolean {
    const meter = this.meterOf(to);
    const unreadBytes = meter.marks.length > 0 ? (this.#shareOf(from, meter)?.unreadBytes ?? 0) : 0;
    const mostBytes = unreadBytes + bytes + routerLimits.floodSlackBytes / 2;
    return this.unread.admitsFirst(meter, bytes) && !this.unread.isFlood(meter, mostBytes);
  }

  /** From now on nothing goes to the link, and `takeGivenUp` returns it once. */
  giveUp(givenUp: GivenUp): void {
    const { memory } = givenUp.link;
    if (memory.isOver) return;
    memory.isOver = true;
    this.#givenUp.push(givenUp);
  }

  /** The next link that was given up and has to be closed. */
  takeGivenUp(): GivenUp | undefined {
    return this.#givenUp.shift();
  }

  #pass(to: Link, message: WireMessage): void {
    const { outbox } = to.memory;
    const isFirst = outbox.isEmpty;
    // By-name formats can't join messages: each holds one frame.
    const mayWait = this.#isGathering && to.format.addressing === "address" && typeof message !== "string";
    if (mayWait && outbox.add(message)) {
      if (isFirst) this.#waiting.push(to);
      return;
    }
    this.empty(to);
    to.send(message);
  }

  /** Tells a client when what it sends now has arrived. */
  sayArrival(to: Link): void {
    const timeMs = this.#now();
    this.meterOf(to).clock.told(timeMs);
    this.say(to, { kind: "measured", timeMs: timeMs >>> 0 });
  }

  /** Sends the router's clock, if it is due before these bytes. @returns the bytes of that. */
  #sayClock(to: Link, { clock }: Meter, bytes: number): number {
    const { format } = to;
    if (format.addressing === "name" || !clock.isDue(bytes, this.#now)) return 0;
    const batch = batchOf(format, routerAddress, [{ kind: "clock", timeMs: this.#now() >>> 0 }]);
    // By itself: as a part of a larger message it would come with the end of that.
    this.empty(to);
    to.send(batch);
    return batch.length;
  }

  #mark(to: Link, token: number): void {
    if (token === 0) return;
    const { format } = to;
    if (format.addressing === "name") this.#pass(to, format.encodeMark(String(token)));
    else {
      const budget = this.unread.tellBudget(this.meterOf(to));
      this.#pass(to, batchOf(format, routerAddress, [{ kind: "mark", token, budget }]));
    }
  }
}
