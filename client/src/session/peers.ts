import { limits } from "@messagepasser/protocol";
import type { Link } from "../link/link.ts";
import { Peer, type Search } from "./peer.ts";

/**
 * The peers' sessions that a client knows: those with channels, and for a while those that had some. A session is known by
 * its name too: the router vouches for names, while each client chooses its session, and all its peers know it.
 */
export class Peers {
  readonly #search: Search;
  readonly #bySession = new Map<string, Peer>();
  readonly #byAddress = new Map<number, Peer>();

  constructor(search: Search) {
    this.#search = search;
  }

  [Symbol.iterator](): Iterator<Peer> {
    return this.#bySession.values();
  }

  at(address: number): Peer | undefined {
    return this.#byAddress.get(address);
  }

  of(label: string, session: string): Peer | undefined {
    return this.#bySession.get(keyOf(label, session));
  }

  /** A peer's session is at this address now. */
  bind(link: Link, address: number, label: string, session: string): Peer {
    let peer = this.of(label, session);
    if (peer === undefined) {
      peer = new Peer(label, session);
      this.#bySession.set(keyOf(label, session), peer);
    }
    if (peer.address !== address) this.#byAddress.delete(peer.address);
    this.#byAddress.set(address, peer);
    peer.bind(link, address);
    this.#forgetOldest(peer);
    return peer;
  }

  /** A peer lost its link, or this client its own; the peer may come back. */
  lose(peer: Peer, kind: "away" | "offline"): void {
    this.#byAddress.delete(peer.address);
    peer.unbind();
    if (peer.channels.size > 0) peer.search(this.#search, kind);
  }

  /** This client's link is lost: no address means anything any more. */
  loseAll(): void {
    for (const peer of this.#bySession.values()) this.lose(peer, "offline");
  }

  /**
   * A peer's session is over. One that was superseded without being told may come back all the same.
   *
   * @param isFinal whether it can't.
   */
  end(peer: Peer, isFinal: boolean): void {
    peer.stopSearch();
    this.#byAddress.delete(peer.address);
    peer.unbind();
    peer.endedOpen = peer.lastOpen;
    if (isFinal) this.#forget(peer);
  }

  /** Forgets what peers that can't be reached, and aren't sought, would be told if they came back. */
  forgetResets(): void {
    for (const peer of this.#bySession.values()) if (isAway(peer) && peer.channels.size > 0) this.#forget(peer);
  }

  /** Peers without channels that could go on are only remembered up to a limit, also where they are said to be there. */
  #forgetOldest(newest: Peer): void {
    if (this.#bySession.size <= limits.maxRememberedSessions) return;
    for (const peer of this.#bySession.values()) {
      // No honest router pairs a link with so many at once.
      if (!isAway(peer) && (peer.channels.size > 0 || peer === newest)) continue;
      this.#byAddress.delete(peer.address);
      this.#forget(peer);
      return;
    }
  }

  #forget(peer: Peer): void {
    this.#bySession.delete(keyOf(peer.label, peer.session));
    for (const channel of peer.channels.values()) channel.forget();
  }
}

function isAway(peer: Peer): boolean {
  return peer.address === 0 && !peer.isSought;
}

/** Sessions are all of one length. */
function keyOf(label: string, session: string): string {
  return session + label;
}
