import {
  goneReasons,
  type PeerFrame,
  routerAddress,
  type RouterFrame,
  type RouterFrameOf,
} from "@messagepasser/protocol";
import { byteLength, creditToken, type Format, pieces, type WireMessage } from "@messagepasser/protocol/formats";
import type { Link } from "./link.ts";
import { byNameAnswers } from "./by-name-answers.ts";
import { UnreadLimiter } from "./unread.ts";
import { batchesOf, batchOf, framesAsBytes, framesIn } from "./encoding.ts";

/** Who stands behind frames: a link, or a peer that the router itself plays. */
export interface Sender {
  readonly address: number;
  readonly name: string;
}

/**
 * Sends to links what is meant for them, in the format of each, with marks in between: what a client doesn't read is held
 * in memory, and one that reads too slowly is given up.
 */
export class Delivery {
  readonly unread: UnreadLimiter;
  readonly #giveUp: (link: Link, bytes: number) => void;
  #isGathering = false;
  /** Links whose batches wait for `handOver`. */
  readonly #waiting: Link[] = [];

  /** @param giveUp ends a link that may not be sent so many bytes. */
  constructor(randomU32: () => number, giveUp: (link: Link, bytes: number) => void) {
    this.unread = new UnreadLimiter(randomU32);
    this.#giveUp = giveUp;
  }

  /**
   * From now on small batches for one link wait for each other, until `handOver`: a WebSocket message costs workerd some
   * 80 µs, whatever is in it.
   */
  gather(): void {
    this.#isGathering = true;
  }

  /** Sends all that waits. Where that fails for a link, the rest goes with the next message. */
  handOver(): void {
    this.#isGathering = false;
    for (let link = this.#waiting.shift(); link !== undefined; link = this.#waiting.shift()) this.empty(link);
  }

  /** Sends what waits for one link. */
  empty(link: Link): void {
    const { outbox } = link.memory;
    if (!outbox.isEmpty) link.send(outbox.take());
  }

  /** What the router itself has to say. */
  say(to: Link, ...frames: readonly RouterFrame[]): void {
    for (const message of routerMessages(to, frames)) this.send(to, message);
  }

  /** Tells that a peer is gone, or was never there. */
  sayGone(to: Link, { address, name }: Sender, reason: number = goneReasons.lost): void {
    const { format } = to;
    if (format.addressing === "address") this.say(to, { kind: "gone", address, reason });
    else for (const message of format.encodeGone(name, reason)) this.send(to, message);
  }

  /** Peer frames for a link. @param answer gets what the link's client leaves to the router to say to their sender. */
  carry(to: Link, from: Sender, frames: readonly PeerFrame[], answer: (frames: readonly PeerFrame[]) => void): void {
    const { format } = to;
    if (format.addressing === "address") {
      for (const batch of batchesOf(format, from.address, pieces(frames))) this.send(to, batch);
      return;
    }
    for (const message of format.encodePeer(frames, from.name, to.name)) this.send(to, message);
    const { answers, credits } = byNameAnswers(frames);
    for (const [connection, offset] of credits)
      this.send(to, format.encodeMark(creditToken(from.address, connection, offset)));
    if (answers.length > 0) answer(answers);
  }

  /** The client has read up to a mark. */
  reached(link: Link, token: number): void {
    this.#mark(link, this.unread.reached(link.memory.meter, token));
  }

  /** What a client is told that it may grant to all its peers together. @param mayBeBusy as of `UnreadLimiter.budgetOf` */
  tellBudget(link: Link, mayBeBusy?: number): number {
    return this.unread.tellBudget(link.memory.meter, mayBeBusy);
  }

  /** Sends a message in the link's format, unless the link has ended or ends by it. */
  send(to: Link, message: WireMessage): void {
    const bytes = byteLength(message);
    if (!this.admits(to, bytes)) return;
    this.#pass(to, message);
    this.#mark(to, this.unread.count(to.memory.meter, bytes));
  }

  /** Whether a link may be sent so many bytes. One that reads too slowly ends: what it was sent would fill the memory. */
  admits(to: Link, bytes: number): boolean {
    if (to.memory.isOver) return false;
    if (this.unread.admits(to.memory.meter, bytes)) return true;
    this.#giveUp(to, bytes);
    return false;
  }

  #pass(to: Link, message: WireMessage): void {
    const { outbox } = to.memory;
    const isFirst = outbox.isEmpty;
    // Messages that name their peers are one frame each.
    const mayWait = this.#isGathering && to.format.addressing === "address" && typeof message !== "string";
    if (mayWait && outbox.add(message)) {
      if (isFirst) this.#waiting.push(to);
      return;
    }
    this.empty(to);
    to.send(message);
  }

  #mark(to: Link, token: number): void {
    if (token === 0) return;
    const { format } = to;
    if (format.addressing === "name") this.#pass(to, format.encodeMark(String(token)));
    else this.#pass(to, batchOf(format, routerAddress, [{ kind: "mark", token, budget: this.tellBudget(to) }]));
  }
}

/** The router's frames as a link's client reads them. */
export function routerMessages(
  { format, name }: Pick<Link, "format" | "name">,
  frames: readonly RouterFrame[],
): readonly WireMessage[] {
  if (format.addressing === "name") return format.encodeRouter(frames, name);
  return [batchOf(format, routerAddress, frames)];
}

/** The last that a client hears, whoever it is. */
export function closingMessages(
  format: Format,
  closing: Omit<RouterFrameOf<"closing">, "kind">,
): readonly WireMessage[] {
  return routerMessages({ format, name: "" }, [{ kind: "closing", ...closing }]);
}

/** The frames of an open as another link's client reads them; none for one that takes no data before it has accepted. */
export function earlyFor(to: Format, early: Uint8Array, from: Format): Uint8Array {
  if (to === from || early.length === 0) return early;
  // An acceptor that has received nothing gets them after its accept: they are in the opener's log.
  if (to.addressing === "name" || from.addressing === "name") return new Uint8Array();
  return framesAsBytes(to, pieces(framesIn(from.peerFrames(early, 0, early.length))));
}
