import { limits } from "@messagepasser/protocol";
import type { Link } from "../link/link.ts";
import { Peer, type Search } from "./peer.ts";

/**
 * The peers' sessions that a client knows: those with channels, and for a while those that had some. Each by its name too:
 * the router vouches for names, while a session is chosen by its client, and known to all whom that talked with.
 */
export class Peers {
  readonly #search: Search;
  readonly #bySession = new Map<string, Peer>();
  readonly #byAddress = new Map<number, Peer>();
  /** The highest id of an open, of sessions that are forgotten: one that was superseded may come back all the same. */
  readonly #forgotten = new Map<string, number>();

  constructor(search: Search) {
    this.#search = search;
  }

  [Symbol.iterator](): Iterator<Peer> {
    return this.#bySession.values();
  }

  at(address: number): Peer | undefined {
    return this.#byAddress.get(address);
  }

  of(name: string, session: string): Peer | undefined {
    return this.#bySession.get(keyOf(name, session));
  }

  /** A peer's session is at this address now. */
  bind(link: Link, address: number, name: string, session: string): Peer {
    let peer = this.of(name, session);
    if (peer === undefined) {
      peer = new Peer(name, session, this.#forgotten.get(keyOf(name, session)));
      this.#bySession.set(keyOf(name, session), peer);
    }
    if (peer.address !== address) this.#byAddress.delete(peer.address);
    this.#byAddress.set(address, peer);
    peer.bind(link, address);
    this.#forgetOldest();
    return peer;
  }

  /** A peer lost its link; it may come back. */
  lose(peer: Peer): void {
    this.#byAddress.delete(peer.address);
    peer.unbind();
    if (peer.channels.size > 0) peer.search(this.#search);
  }

  /** The own link is lost: no address means anything any more. */
  loseAll(): void {
    for (const peer of this.#bySession.values()) this.lose(peer);
  }

  /** A peer's session is over. */
  remove(peer: Peer): void {
    peer.stopSearch();
    this.#byAddress.delete(peer.address);
    const key = keyOf(peer.name, peer.session);
    this.#bySession.delete(key);
    if (peer.highestOpen === 0) return;
    this.#forgotten.set(key, peer.highestOpen);
    for (const oldest of this.#forgotten.keys()) {
      if (this.#forgotten.size <= limits.maxRememberedSessions) break;
      this.#forgotten.delete(oldest);
    }
  }

  /** Peers without channels that could go on are only remembered so far. */
  #forgetOldest(): void {
    if (this.#bySession.size > limits.maxRememberedSessions) this.forgetLost(1);
  }

  /** Forgets the oldest of those that can't be reached and aren't sought, and what they would hear if they came back. */
  forgetLost(most = Infinity): void {
    for (const peer of this.#bySession.values()) {
      if (peer.address !== 0 || peer.isSought) continue;
      this.remove(peer);
      for (const channel of peer.channels.values()) channel.forget();
      if (--most === 0) return;
    }
  }
}

/** Sessions are all of one length. */
function keyOf(name: string, session: string): string {
  return session + name;
}
