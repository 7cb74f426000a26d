import { cutText, labelOf, routerLimits } from "@messagepasser/protocol";
import { type Format, formatOf, native, type WireMessage } from "@messagepasser/protocol/formats";
import { type Closing, closings } from "../routing/closings.ts";
import { closingMessages } from "../routing/encoding.ts";
import {
  type Grant,
  type KeptWatches,
  type Link,
  LinkMemory,
  type PairEntry,
  type Pairs,
  type TokenGrant,
} from "../routing/link.ts";
import type { Services } from "../routing/services.ts";
import { type Attachment, attachedWatches, attachmentOf, grantOf, rightsOf, watchesOf } from "./attachment.ts";
import { subprotocolIn, tagsOf } from "./link-tags.ts";
import { bytesOf, PeerCalls } from "./peer-calls.ts";
import type { Counters, KeptSums } from "./usage.ts";

/** A link over a hibernatable WebSocket. */
export class SocketLink implements Link {
  readonly socket: WebSocket;
  readonly address: number;
  readonly name: string;
  readonly label: string;
  readonly session: string;
  readonly instance: string;
  readonly resumes: boolean;
  readonly format: Format;
  /** As in the link's attachment. */
  readonly revision: number;
  readonly grant: Grant | undefined;
  readonly token: (TokenGrant & { readonly issuedAtS: number }) | undefined;
  readonly pairs: AttachedPairs;
  readonly memory = new LinkMemory();
  readonly #context: DurableObjectState;
  readonly #counters: Counters;
  #attachment: Attachment;
  #watches: KeptWatches | undefined;
  /** Messages that wait until the upgrade is answered; `undefined` from then on. */
  #held: WireMessage[] | undefined;

  /** The link of an attachment, which may be new: then `accept` must come first. */
  constructor(context: DurableObjectState, counters: Counters, socket: WebSocket, attachment: Attachment) {
    this.#context = context;
    this.#counters = counters;
    this.#attachment = attachment;
    this.#watches = watchesOf(attachment);
    this.socket = socket;
    this.address = attachment.address;
    this.name = attachment.name;
    this.session = attachment.session;
    this.instance = attachment.instance;
    this.label = labelOf(this.name, this.instance);
    this.resumes = attachment.resumes;
    this.format = formatOf(attachment.format) ?? native;
    this.revision = attachment.revision;
    this.grant = grantOf(attachment);
    const { token } = attachment;
    this.token = token && { ...token, rights: rightsOf(token) };
    this.pairs = new AttachedPairs(attachment, (pairs) => {
      this.#attach(pairs);
    });
  }

  /** The link that a socket remembers, or `undefined` if it was removed or code of another version wrote it. */
  static restore(context: DurableObjectState, counters: Counters, socket: WebSocket): SocketLink | undefined {
    const attachment = attachmentOf(socket);
    return attachment && new SocketLink(context, counters, socket, attachment);
  }

  /** Accepts the socket for hibernation and attaches the link to it. */
  accept(): void {
    this.#context.acceptWebSocket(this.socket, tagsOf(this));
    this.#held = [];
    this.#attach({});
  }

  /** Sends the messages that waited for the answer to the upgrade. */
  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const message of held) if (this.isOpen) this.socket.send(message);
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }

  get connectedAtMs(): number {
    return this.#attachment.connectedAtMs;
  }

  get lastHeardMs(): number {
    const heartbeatMs = this.#context.getWebSocketAutoResponseTimestamp(this.socket)?.getTime() ?? 0;
    return Math.max(this.#attachment.connectedAtMs, heartbeatMs);
  }

  get services(): Services | undefined {
    return this.#attachment.services;
  }

  set services(services: Services | undefined) {
    this.#attach({ services });
  }

  get sinceMs(): number {
    return this.#attachment.sinceMs;
  }

  set sinceMs(sinceMs: number) {
    this.#attach({ sinceMs });
  }

  get formatMemory(): Uint8Array {
    return this.#attachment.formatMemory;
  }

  set formatMemory(formatMemory: Uint8Array) {
    this.#attach({ formatMemory });
  }

  get watches(): KeptWatches | undefined {
    return this.#watches;
  }

  set watches(watches: KeptWatches | undefined) {
    this.#watches = watches;
    this.#attach(attachedWatches(watches));
  }

  /** Counts of the realm that this link's attachment keeps. */
  get usage(): KeptSums | undefined {
    return this.#attachment.usage;
  }

  set usage(usage: KeptSums | undefined) {
    this.#attach({ usage });
  }

  send(message: WireMessage): void {
    // A copy, since routing keeps writing into the batch that this message is a part of.
    if (this.#held !== undefined) this.#held.push(message.slice());
    else {
      try {
        this.socket.send(message);
      } catch (error) {
        // A closing socket throws, and its close event will follow. To check first would cost as much as to send.
        if (this.isOpen) throw error;
        return;
      }
    }
    this.#counters.sent(message.length);
  }

  close(code: number, reason: string, delayMs: number): void {
    this.release();
    closeSocket(this.#counters, this.socket, this.format, { code, reason, delayMs });
  }

  #attach(change: Partial<Attachment>): void {
    this.#attachment = { ...this.#attachment, ...change };
    // The attachment of a link that is over stays empty.
    if (!this.memory.isOver) this.socket.serializeAttachment(this.#attachment);
  }
}

/** Tells a client why its link ends, and closes the socket. Does nothing to a socket that is closing already. */
function closeSocket(counters: Counters, socket: WebSocket, format: Format, closing: Closing): void {
  if (socket.readyState !== WebSocket.OPEN) return;
  for (const message of closingMessages(format, closing)) {
    socket.send(message);
    counters.sent(message.length);
  }
  socket.close(closing.code, cutText(closing.reason, routerLimits.maxCloseReasonBytes));
}

/** Closes a socket whose link code of another version made. Does nothing to a socket that is closing already. */
export function closeUnreadable(context: DurableObjectState, counters: Counters, socket: WebSocket): void {
  // Only the tags of such a link can be read.
  const format = formatOf(subprotocolIn(context.getTags(socket))) ?? native;
  closeSocket(counters, socket, format, closings.unreadable);
}

/** Answers a client that closes its socket: the runtime doesn't do that on a hibernatable one. */
export function answerClose(socket: WebSocket, code: number, reason: string): void {
  if (socket.readyState === WebSocket.CLOSED) return;
  if (isSendable(code)) socket.close(code, reason);
  else socket.close(1000);
}

/** Whether a close frame may carry a code. The runtime reports other codes too, but throws for them (RFC 6455, 7.4). */
function isSendable(closeCode: number): boolean {
  return closeCode >= 1000 && closeCode <= 4999 && ![1004, 1005, 1006, 1015].includes(closeCode);
}

type PairsOfAttachment = Pick<Attachment, "pairs" | "labelled" | "calls" | "overflowed">;

const noEntry: PairEntry = {};

/** The pairs in a link's attachment. */
class AttachedPairs implements Pairs {
  readonly #addresses: Set<number>;
  readonly #labelled: Set<number>;
  /** `undefined` until there are any. */
  #calls: PeerCalls | undefined;
  #overflowed: boolean;
  readonly #save: (pairs: PairsOfAttachment) => void;

  constructor({ pairs, labelled, calls, overflowed }: PairsOfAttachment, save: (pairs: PairsOfAttachment) => void) {
    this.#addresses = new Set(pairs);
    this.#labelled = new Set(labelled);
    this.#calls = calls && new PeerCalls(calls);
    this.#overflowed = overflowed;
    this.#save = save;
  }

  get overflowed(): boolean {
    return this.#overflowed;
  }

  get isFull(): boolean {
    return this.#leftBytes <= 0;
  }

  get #leftBytes(): number {
    const usedBytes = 4 * (this.#addresses.size + this.#labelled.size) + (this.#calls?.bytes ?? 0);
    return 4 * routerLimits.maxPairs - usedBytes;
  }

  [Symbol.iterator](): Iterator<number> {
    return this.#addresses.values();
  }

  has(address: number): boolean {
    return this.#addresses.has(address);
  }

  hasLabel(address: number): boolean {
    return this.#labelled.has(address);
  }

  callOf(address: number): string | undefined {
    return this.#calls?.callOf(address);
  }

  addressOf(call: string): number | undefined {
    return this.#calls?.addressOf(call);
  }

  hasRoomFor(call: string): boolean {
    return this.#leftBytes > bytesOf(call);
  }

  add(address: number, { hasLabel = false, call }: PairEntry = noEntry): boolean {
    if (this.#addresses.has(address)) return true;
    if (this.isFull || (call !== undefined && !this.hasRoomFor(call))) return false;
    this.#addresses.add(address);
    if (hasLabel) this.#labelled.add(address);
    if (call !== undefined) (this.#calls ??= new PeerCalls()).set(address, call);
    this.#saveAll();
    return true;
  }

  remove(address: number): void {
    this.#labelled.delete(address);
    this.#calls?.delete(address);
    if (this.#addresses.delete(address)) this.#saveAll();
  }

  overflow(): void {
    if (this.#overflowed) return;
    this.#overflowed = true;
    this.#saveAll();
  }

  #saveAll(): void {
    this.#save({
      pairs: Uint32Array.from(this.#addresses),
      labelled: Uint32Array.from(this.#labelled),
      calls: this.#calls?.attached(),
      overflowed: this.#overflowed,
    });
  }
}
