import { closeCodes, encodeBatch, routerAddress } from "@messagepasser/protocol";
import type { Link, Links, Pairs } from "./routing.ts";

/** All that a link must remember while the object is not in memory; kept in its socket's attachment. */
interface Attachment {
  readonly version: 1;
  readonly address: number;
  readonly name: string;
  readonly session: string;
  readonly revision: number;
  readonly pairs: Uint32Array;
  readonly overflowed: boolean;
}

/** 4 bytes each in an attachment of at most 16,384 bytes, which also holds a name of up to 128. */
export const maxPairs = 3_900;

/** A link over a hibernatable WebSocket. */
export class SocketLink implements Link {
  readonly socket: WebSocket;
  readonly address: number;
  readonly name: string;
  readonly session: string;
  /** Of the secret that opened the link; 0 where an authenticator knows no revisions. */
  readonly revision: number;
  readonly pairs: AttachedPairs;

  constructor(socket: WebSocket, attachment: Omit<Attachment, "version">) {
    this.socket = socket;
    this.address = attachment.address;
    this.name = attachment.name;
    this.session = attachment.session;
    this.revision = attachment.revision;
    this.pairs = new AttachedPairs(attachment, (pairs) => {
      this.#save(pairs);
    });
  }

  /** Accepts a socket for hibernation and remembers the link in it. */
  static accept(
    context: DurableObjectState,
    socket: WebSocket,
    identity: Omit<Attachment, "version" | "pairs" | "overflowed">,
  ): SocketLink {
    context.acceptWebSocket(socket, [nameTag(identity.name), addressTag(identity.address)]);
    const link = new SocketLink(socket, { ...identity, pairs: new Uint32Array(), overflowed: false });
    link.#save(link.pairs);
    return link;
  }

  /** The link that a socket remembers, or `undefined` if code of another version wrote it. */
  static restore(socket: WebSocket): SocketLink | undefined {
    // Written by #save of this class, in this version or another one.
    const attachment = socket.deserializeAttachment() as Attachment | null;
    return attachment?.version === 1 ? new SocketLink(socket, attachment) : undefined;
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }

  send(batch: Uint8Array): void {
    // A socket that is closing throws; its end is on the way as an event.
    if (this.isOpen) this.socket.send(batch);
  }

  close(code: number, reason: string): void {
    closeSocket(this.socket, code, reason);
  }

  #save({ addresses, overflowed }: AttachedPairs): void {
    const { address, name, session, revision } = this;
    const attachment: Attachment = {
      version: 1,
      address,
      name,
      session,
      revision,
      pairs: Uint32Array.from(addresses),
      overflowed,
    };
    this.socket.serializeAttachment(attachment);
  }
}

/** Ends a link; the client hears why. */
function closeSocket(socket: WebSocket, code: number, reason: string): void {
  if (socket.readyState !== WebSocket.OPEN) return;
  socket.send(encodeBatch(routerAddress, { kind: "closing", code, reason }));
  // Reasons are ours, short and ASCII; the 123 bytes of RFC 6455 are a limit for what they quote.
  socket.close(code, reason.slice(0, 120));
}

/** Ends a link that code of another version made. Does nothing to one that is closing already. */
export function closeUnreadable(socket: WebSocket): void {
  closeSocket(socket, closeCodes.unreadableState, "This link was made by another version of the router: connect again");
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
  readonly #ofSocket = new Map<WebSocket, SocketLink>();
  readonly #byAddress = new Map<number, SocketLink>();
  readonly #byName = new Map<string, SocketLink>();

  constructor(context: DurableObjectState) {
    this.#context = context;
  }

  add(link: SocketLink): void {
    this.#ofSocket.set(link.socket, link);
    this.#byAddress.set(link.address, link);
    this.#byName.set(link.name, link);
  }

  /** Forgets a link for good: its socket, which may go on for a while, is nobody's from now on. */
  remove(link: SocketLink): void {
    if (this.#byName.get(link.name) === link) this.#byName.delete(link.name);
    this.#byAddress.delete(link.address);
    this.#ofSocket.delete(link.socket);
    link.socket.serializeAttachment(null);
  }

  /** The link of a socket, or `undefined` if it was removed or if code of another version made it. */
  of(socket: WebSocket): SocketLink | undefined {
    const known = this.#ofSocket.get(socket);
    if (known !== undefined) return known;
    const link = SocketLink.restore(socket);
    if (link?.isOpen === true) this.add(link);
    return link;
  }

  byAddress(address: number): SocketLink | undefined {
    return this.#byAddress.get(address) ?? this.#find(addressTag(address));
  }

  byName(name: string): SocketLink | undefined {
    return this.#byName.get(name) ?? this.#find(nameTag(name));
  }

  *all(): Iterable<SocketLink> {
    for (const socket of this.#context.getWebSockets()) {
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
    if (link === undefined) closeUnreadable(socket);
    return link?.isOpen === true ? link : undefined;
  }
}

function nameTag(name: string): string {
  return `name:${name}`;
}

function addressTag(address: number): string {
  return `address:${address}`;
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
