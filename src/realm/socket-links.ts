import { routerLimits } from "@messagepasser/protocol";
import { type Links, linksAt } from "../routing/link.ts";
import { addressTag, guestTag, holderTag, hostTag, nameIn, nameTag } from "./link-tags.ts";
import { closeUnreadable, SocketLink } from "./socket-link.ts";
import type { Counters } from "./usage.ts";

/** Where the addresses of links that watch something are stored. */
const watchingKey = "watching";

/**
 * The links of a realm's object, by their sockets' tags. After a wake nothing is scanned: a link is restored from its
 * socket when it is first looked up, and stays in memory until the object leaves it.
 */
export class SocketLinks implements Links {
  readonly #context: DurableObjectState;
  readonly #counters: Counters;
  /** Removed links too, until their sockets are gone. */
  readonly #ofSocket = new WeakMap<WebSocket, SocketLink>();
  readonly #byAddress = new Map<number, SocketLink>();
  readonly #byName = new Map<string, SocketLink>();
  /** Links whose upgrade may not have been answered yet. */
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
   * Sends held messages a turn later, when the upgrade is answered. Any message that is sent before the answer costs workerd
   * 13 KiB for as long as the socket lives. One timer serves all links, since each timer costs 2 KiB.
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

  /** Forgets a link for good. From now on messages of its socket count for nothing, after a wake too. */
  remove(link: SocketLink): void {
    if (this.#byName.get(link.name) === link) this.#byName.delete(link.name);
    this.#byAddress.delete(link.address);
    this.#counters.takeBack(link.usage);
    link.socket.serializeAttachment(null);
  }

  /** The link of a socket, or `undefined` if it was removed before a wake or code of another version made it. */
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

  all(): Iterable<SocketLink> {
    return this.#open(this.#context.getWebSockets());
  }

  watching(): SocketLink[] {
    const addresses = this.#context.storage.kv.get<Uint32Array>(watchingKey) ?? new Uint32Array();
    return Array.from(linksAt(this, addresses)).filter(({ watches }) => watches !== undefined);
  }

  noteWatching(addresses: readonly number[]): void {
    this.#context.storage.kv.put(watchingKey, Uint32Array.from(addresses));
  }

  /** Names of clients whose links were closed, and whose sockets are still there. */
  unclosed(): string[] {
    const names = new Set<string>();
    for (const socket of this.#context.getWebSockets()) {
      if (names.size === routerLimits.maxUnclosedNames) break;
      if (socket.readyState !== WebSocket.OPEN) names.add(nameIn(this.#context.getTags(socket)));
    }
    return Array.from(names);
  }

  /** The links of all guests. */
  guests(): Iterable<SocketLink> {
    return this.#open(this.#context.getWebSockets(guestTag));
  }

  /** The links that were opened with tokens. */
  holders(): Iterable<SocketLink> {
    return this.#open(this.#context.getWebSockets(holderTag));
  }

  /** The links of the guests that a client has invited. */
  guestsOf(host: string): Iterable<SocketLink> {
    return this.#open(this.#context.getWebSockets(hostTag(host)));
  }

  /** Whether a client may have a guest of this name: one more, or one that replaces its own link. */
  hasRoomForGuest(host: string, name: string): boolean {
    const others = this.#context
      .getWebSockets(hostTag(host))
      .filter((socket) => socket.readyState === WebSocket.OPEN && nameIn(this.#context.getTags(socket)) !== name);
    return others.length < routerLimits.maxGuestsAtOnce;
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

  /** Closes a link that this version can't restore, so that its client comes back even if it never sends anything. */
  #openLinkOf(socket: WebSocket): SocketLink | undefined {
    const link = this.of(socket);
    if (link === undefined) closeUnreadable(this.#context, this.#counters, socket);
    return link?.isOpen === true && !link.memory.isOver ? link : undefined;
  }
}
