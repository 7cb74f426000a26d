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
  /** By name, where they were looked up: then they are all there. */
  readonly #byName = new Map<string, readonly SocketLink[]>();
  /** Links whose upgrade may not have been answered yet. */
  #unanswered: SocketLink[] = [];

  constructor(context: DurableObjectState, counters: Counters) {
    this.#context = context;
    this.#counters = counters;
  }

  add(link: SocketLink): void {
    link.accept();
    this.#ofSocket.set(link.socket, link);
    this.#byAddress.set(link.address, link);
    const others = this.#byName.get(link.name);
    if (others !== undefined) this.#byName.set(link.name, [...others, link]);
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
    const others = this.#byName.get(link.name)?.filter((other) => other !== link) ?? [];
    if (others.length === 0) this.#byName.delete(link.name);
    else this.#byName.set(link.name, others);
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
    if (link.isOpen) this.#byAddress.set(link.address, link);
    return link;
  }

  byAddress(address: number): SocketLink | undefined {
    const known = this.#byAddress.get(address);
    if (known !== undefined) return known;
    const [found] = this.#open(this.#context.getWebSockets(addressTag(address)));
    return found;
  }

  named(name: string): readonly SocketLink[] {
    let links = this.#byName.get(name);
    if (links === undefined) {
      links = Array.from(this.#open(this.#context.getWebSockets(nameTag(name))));
      if (links.length > 0) this.#byName.set(name, links);
    }
    return links;
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

  /** Links whose clients have sent something since a time, in milliseconds since 1970: the newest first. Slow. */
  busySince(sinceMs: number): SocketLink[] {
    return Array.from(this.#byAddress.values())
      .filter(({ isOpen, memory }) => isOpen && !memory.isOver && memory.heardAtMs >= sinceMs)
      .toReversed()
      .sort((one, other) => other.connectedAtMs - one.connectedAtMs);
  }

  /** Whether a name may have one more link, in this session: none that it replaces counts. */
  hasRoom({ name, session, instance }: Pick<SocketLink, "name" | "session" | "instance">): boolean {
    const others = this.named(name).filter(
      (link) => link.isOpen && link.session !== session && (instance === "" || link.instance !== instance),
    );
    return others.length < routerLimits.maxSessions;
  }

  /** Whether a client may have one more guest, in this session. */
  hasRoomForGuest(host: string, session: string): boolean {
    const others = Array.from(this.guestsOf(host)).filter((link) => link.session !== session);
    return others.length < routerLimits.maxGuestsAtOnce;
  }

  *#open(sockets: readonly WebSocket[]): Iterable<SocketLink> {
    for (const socket of sockets) {
      const link = this.#openLinkOf(socket);
      if (link !== undefined) yield link;
    }
  }

  /** Closes a link that this version can't restore, so that its client comes back even if it never sends anything. */
  #openLinkOf(socket: WebSocket): SocketLink | undefined {
    const link = this.of(socket);
    if (link === undefined) closeUnreadable(this.#context, this.#counters, socket);
    return link?.isOpen === true && !link.memory.isOver ? link : undefined;
  }
}
