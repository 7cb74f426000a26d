import { cutText } from "@messagepasser/protocol";
import { type Format, formatOf, native, type WireMessage } from "@messagepasser/protocol/formats";
import { closings } from "../routing/closings.ts";
import { closingMessages } from "../routing/encoding.ts";
import { type Grant, type Link, type Pairs, LinkMemory } from "../routing/link.ts";
import { subprotocolIn, tagsOf } from "./link-tags.ts";
import type { Counters, KeptSums } from "./usage.ts";

const version = 4;
/** What a close frame has room for (RFC 6455, 5.5). */
const maxCloseReasonBytes = 123;

/** All that a link must remember while the object is not in memory; kept in its socket's attachment. */
interface Attachment {
  readonly version: typeof version;
  readonly address: number;
  readonly name: string;
  readonly session: string;
  readonly resumes: boolean;
  /** A subprotocol. */
  readonly format: string;
  /** What the format remembers. */
  readonly formatMemory: Uint8Array;
  readonly revision: number;
  readonly connectedAtMs: number;
  readonly grant: Grant | undefined;
  readonly pairs: Uint32Array;
  readonly overflowed: boolean;
  /** Of the object, not of the link: see usage.ts. Absent where code from before it wrote the attachment. */
  readonly usage?: KeptSums | undefined;
}

/** 4 bytes each in an attachment of at most 16,384, which also holds a name, what a format remembers and a guest's grant. */
export const maxPairs = 3_200;

/** Who a new link belongs to. */
export type LinkIdentity = Omit<Attachment, "version" | "pairs" | "overflowed" | "formatMemory" | "usage">;

/** A link over a hibernatable WebSocket. */
export class SocketLink implements Link {
  readonly socket: WebSocket;
  readonly address: number;
  readonly name: string;
  readonly session: string;
  readonly resumes: boolean;
  readonly format: Format;
  /** Of the secret that opened the link; 0 where an authenticator knows no revisions. */
  readonly revision: number;
  readonly grant: Grant | undefined;
  readonly pairs: AttachedPairs;
  readonly memory = new LinkMemory();
  readonly #context: DurableObjectState;
  readonly #counters: Counters;
  readonly #connectedAtMs: number;
  #formatMemory: Uint8Array;
  #usage: KeptSums | undefined;
  /** What waits until the upgrade is answered; absent from then on. */
  #held: WireMessage[] | undefined;

  private constructor(
    context: DurableObjectState,
    counters: Counters,
    socket: WebSocket,
    format: Format,
    attachment: Omit<Attachment, "version">,
  ) {
    this.#context = context;
    this.#counters = counters;
    this.socket = socket;
    this.address = attachment.address;
    this.name = attachment.name;
    this.session = attachment.session;
    this.resumes = attachment.resumes;
    this.format = format;
    this.#formatMemory = attachment.formatMemory;
    this.#usage = attachment.usage;
    this.revision = attachment.revision;
    this.grant = attachment.grant;
    this.#connectedAtMs = attachment.connectedAtMs;
    this.pairs = new AttachedPairs(attachment, (pairs) => {
      this.#save(pairs);
    });
  }

  /** A link that is new: `accept` comes before all else. */
  static create(
    context: DurableObjectState,
    counters: Counters,
    socket: WebSocket,
    identity: LinkIdentity,
  ): SocketLink {
    const format = formatOf(identity.format) ?? native;
    const empty = { formatMemory: new Uint8Array(), pairs: new Uint32Array(), overflowed: false };
    return new SocketLink(context, counters, socket, format, { ...identity, ...empty });
  }

  /** The link that a socket remembers, or `undefined` if code of another version wrote it. */
  static restore(context: DurableObjectState, counters: Counters, socket: WebSocket): SocketLink | undefined {
    // Written by #save of this class, in this version or another one.
    const attachment = socket.deserializeAttachment() as Attachment | null;
    if (attachment?.version !== version) return undefined;
    const format = formatOf(attachment.format);
    return format && new SocketLink(context, counters, socket, format, attachment);
  }

  /** Accepts the socket for hibernation and remembers the link in it. */
  accept(): void {
    this.#context.acceptWebSocket(this.socket, tagsOf(this));
    this.#held = [];
    this.#save(this.pairs);
  }

  /** The upgrade is answered. */
  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const message of held) if (this.isOpen) this.socket.send(message);
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }

  get lastHeardMs(): number {
    const heartbeatMs = this.#context.getWebSocketAutoResponseTimestamp(this.socket)?.getTime() ?? 0;
    return Math.max(this.#connectedAtMs, heartbeatMs);
  }

  get formatMemory(): Uint8Array {
    return this.#formatMemory;
  }

  set formatMemory(memory: Uint8Array) {
    this.#formatMemory = memory;
    this.#save(this.pairs);
  }

  /** What the object has done and keeps here. */
  get usage(): KeptSums | undefined {
    return this.#usage;
  }

  set usage(usage: KeptSums | undefined) {
    this.#usage = usage;
    this.#save(this.pairs);
  }

  send(message: WireMessage): void {
    // A copy, since the batch that it is a part of is written to when the rest goes to others.
    if (this.#held !== undefined) this.#held.push(message.slice());
    else {
      try {
        this.socket.send(message);
      } catch (error) {
        // One that is closing throws; its end is on the way as an event. To ask before would cost as much as to send.
        if (this.isOpen) throw error;
        return;
      }
    }
    this.#counters.sent(message.length);
  }

  close(code: number, reason: string, delayMs: number): void {
    this.release();
    closeSocket(this.#counters, this.socket, this.format, code, reason, delayMs);
  }

  #save({ addresses, overflowed }: AttachedPairs): void {
    // One that is removed has nothing attached any more, and what it still hears must not change that.
    if (this.memory.isOver) return;
    const { address, name, session, resumes, format, formatMemory, revision, grant } = this;
    const attachment: Attachment = {
      version,
      address,
      name,
      session,
      resumes,
      format: format.subprotocol,
      formatMemory,
      revision,
      connectedAtMs: this.#connectedAtMs,
      grant,
      pairs: Uint32Array.from(addresses),
      overflowed,
      usage: this.#usage,
    };
    this.socket.serializeAttachment(attachment);
  }
}

/** Ends a link; the client hears why. */
function closeSocket(
  counters: Counters,
  socket: WebSocket,
  format: Format,
  code: number,
  reason: string,
  delayMs: number,
): void {
  if (socket.readyState !== WebSocket.OPEN) return;
  for (const message of closingMessages(format, { code, delayMs, reason })) {
    socket.send(message);
    counters.sent(message.length);
  }
  socket.close(code, cutText(reason, maxCloseReasonBytes));
}

/** Ends a link that code of another version made. Does nothing to one that is closing already. */
export function closeUnreadable(context: DurableObjectState, counters: Counters, socket: WebSocket): void {
  const { code, reason, delayMs } = closings.unreadable;
  // Tags are what is left to read of such a link.
  const format = formatOf(subprotocolIn(context.getTags(socket))) ?? native;
  closeSocket(counters, socket, format, code, reason, delayMs);
}

class AttachedPairs implements Pairs {
  readonly addresses: Set<number>;
  overflowed: boolean;
  readonly #save: (pairs: AttachedPairs) => void;

  constructor({ pairs, overflowed }: Pick<Attachment, "pairs" | "overflowed">, save: (pairs: AttachedPairs) => void) {
    this.addresses = new Set(pairs);
    this.overflowed = overflowed;
    this.#save = save;
  }

  [Symbol.iterator](): Iterator<number> {
    return this.addresses.values();
  }

  has(address: number): boolean {
    return this.addresses.has(address);
  }

  get isFull(): boolean {
    return this.addresses.size >= maxPairs;
  }

  add(address: number): boolean {
    if (this.addresses.has(address)) return true;
    if (this.isFull) return false;
    this.addresses.add(address);
    this.#save(this);
    return true;
  }

  remove(address: number): void {
    if (this.addresses.delete(address)) this.#save(this);
  }

  overflow(): void {
    if (this.overflowed) return;
    this.overflowed = true;
    this.#save(this);
  }
}
