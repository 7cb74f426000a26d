import { type Format, formatOf, native, type WireMessage } from "@messagepasser/protocol/formats";
import { closings } from "./closings.ts";
import { closingMessages } from "./delivery.ts";
import { type Grant, type Link, type Links, type Pairs, Tally } from "./link.ts";
import type { Counters, KeptSums } from "./usage.ts";

const version = 4;

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

/** 4 bytes each in an attachment of at most 16,384 bytes, which also holds a name of up to 128 2,048 for a format and a guest's grant. */
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
  readonly tally = new Tally();
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
    this.#context.acceptWebSocket(this.socket, [
      nameTag(this.name),
      addressTag(this.address),
      formatTag(this.format.subprotocol),
      ...(this.grant === undefined ? [] : [guestTag, hostTag(this.grant.host)]),
    ]);
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
  // Reasons are ours, short and ASCII; the 123 bytes of RFC 6455 are a limit for what they quote.
  socket.close(code, reason.slice(0, 120));
}

/** Ends a link that code of another version made. Does nothing to one that is closing already. */
export function closeUnreadable(context: DurableObjectState, counters: Counters, socket: WebSocket): void {
  const { code, reason, delayMs } = closings.unreadable;
  // Tags are what is left to read of such a link.
  const format = context.getTags(socket).find((tag) => tag.startsWith(formatTag("")));
  closeSocket(counters, socket, formatOf(format?.slice(formatTag("").length) ?? "") ?? native, code, reason, delayMs);
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

  add(address: number): boolean {
    if (this.addresses.has(address)) return true;
    if (this.addresses.size >= maxPairs) return false;
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

/**
 * The links of an object, found by their sockets' tags and kept for as long as the object is in memory.
 * After a wake nothing is scanned: each link comes back when it is first asked for.
 */
export class SocketLinks implements Links {
  readonly #context: DurableObjectState;
  readonly #counters: Counters;
  /** Also those that were removed, until their sockets are gone. */
  readonly #ofSocket = new WeakMap<WebSocket, SocketLink>();
  readonly #byAddress = new Map<number, SocketLink>();
  readonly #byName = new Map<string, SocketLink>();
  /** Links whose upgrade isn't answered yet, as far as is known. */
  #unanswered: SocketLink[] = [];

  constructor(context: DurableObjectState, counters: Counters) {
    this.#context = context;
    this.#counters = counters;
  }

  add(link: SocketLink): void {
    link.accept();
    this.#ofSocket.set(link.socket, link);
    this.#index(link);
    this.#releaseSoon(link);
  }

  /**
   * What is sent on a socket before the upgrade is answered costs workerd 13 KiB for as long as the socket lives, whatever
   * it is; a turn later it costs next to nothing. One timer serves all, since each would cost 2 KiB.
   */
  #releaseSoon(link: SocketLink): void {
    this.#unanswered.push(link);
    if (this.#unanswered.length > 1) return;
    setTimeout(() => {
      const links = this.#unanswered;
      this.#unanswered = [];
      for (const each of links) each.release();
    });
  }

  /** Forgets a link for good: its socket, which may go on for a while, has no say from now on, nor after a wake. */
  remove(link: SocketLink): void {
    if (this.#byName.get(link.name) === link) this.#byName.delete(link.name);
    this.#byAddress.delete(link.address);
    this.#counters.takeBack(link.usage);
    link.socket.serializeAttachment(null);
  }

  /** The link of a socket, or `undefined` if it was removed before a wake or if code of another version made it. */
  of(socket: WebSocket): SocketLink | undefined {
    const known = this.#ofSocket.get(socket);
    if (known !== undefined) return known;
    const link = SocketLink.restore(this.#context, this.#counters, socket);
    if (link === undefined) return undefined;
    this.#ofSocket.set(socket, link);
    if (link.isOpen) this.#index(link);
    return link;
  }

  #index(link: SocketLink): void {
    this.#byAddress.set(link.address, link);
    this.#byName.set(link.name, link);
  }

  byAddress(address: number): SocketLink | undefined {
    return this.#byAddress.get(address) ?? this.#find(addressTag(address));
  }

  byName(name: string): SocketLink | undefined {
    return this.#byName.get(name) ?? this.#find(nameTag(name));
  }

  get knownCount(): number {
    return this.#byAddress.size;
  }

  all(): Iterable<SocketLink> {
    return this.#open(this.#context.getWebSockets());
  }

  /** Links of all guests. */
  guests(): Iterable<SocketLink> {
    return this.#open(this.#context.getWebSockets(guestTag));
  }

  /** Links of those whom a client has invited. */
  guestsOf(host: string): Iterable<SocketLink> {
    return this.#open(this.#context.getWebSockets(hostTag(host)));
  }

  *#open(sockets: readonly WebSocket[]): Iterable<SocketLink> {
    for (const socket of sockets) {
      const link = this.#openLinkOf(socket);
      if (link !== undefined) yield link;
    }
  }

  #find(tag: string): SocketLink | undefined {
    for (const socket of this.#context.getWebSockets(tag)) {
      const link = this.#openLinkOf(socket);
      if (link !== undefined) return link;
    }
    return undefined;
  }

  /** A client whose link can't be read must come back, though it may only be waiting, and never send anything. */
  #openLinkOf(socket: WebSocket): SocketLink | undefined {
    const link = this.of(socket);
    if (link === undefined) closeUnreadable(this.#context, this.#counters, socket);
    return link?.isOpen === true && !link.tally.isOver ? link : undefined;
  }
}

function nameTag(name: string): string {
  return `name:${name}`;
}

const guestTag = "guest";

function hostTag(host: string): string {
  return `host:${host}`;
}

function addressTag(address: number): string {
  return `address:${address}`;
}

function formatTag(subprotocol: string): string {
  return `format:${subprotocol}`;
}

/** Hands out addresses in blocks, so that only one in 32 links costs a write; none is used twice in the life of the object. */
export class Addresses {
  readonly #storage: SyncKvStorage;
  #next = 0;
  #end = 0;

  constructor(storage: SyncKvStorage) {
    this.#storage = storage;
  }

  take(): number {
    if (this.#next === this.#end) {
      this.#next = this.#storage.get<number>("nextAddress") ?? 1;
      this.#end = this.#next + 32;
      this.#storage.put("nextAddress", this.#end);
    }
    return this.#next++;
  }
}
