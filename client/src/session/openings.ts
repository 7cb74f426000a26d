import { anySession, errorCodes, ProtocolError, routerAddress, type RouterFrameOf } from "@messagepasser/protocol";
import type { Channel } from "../connection/channel.ts";
import { connectionCode } from "../errors.ts";
import { backoffMs } from "../link/backoff.ts";
import type { Link } from "../link/link.ts";
import type { Clock } from "../link/platform.ts";
import type { Peer } from "./peer.ts";

const noBytes = new Uint8Array();

/** Where a channel is kept. An opener's channel has no home until the router has said which session got the open. */
export interface Home {
  peer: Peer | undefined;
}

/** An open that the router has not answered. */
interface Opening {
  readonly channel: Channel;
  readonly home: Home;
  /** Whether the router has refused it for now, and it will be sent again. */
  isWaiting: boolean;
}

/** What `Openings` needs from its session. */
interface OpeningsStart {
  readonly clock: Clock;
  /** The link, while the router takes frames. */
  link(): Link | undefined;
  /** A peer's session is at this address now. */
  bind(address: number, name: string, session: string): Peer;
}

/** The opens of a session that the router has not answered. Each is sent again on every new link until it is answered. */
export class Openings {
  readonly #start: OpeningsStart;
  readonly #openings = new Map<number, Opening>();
  #lastConnection = 0;

  constructor(start: OpeningsStart) {
    this.#start = start;
  }

  /** The id of the next Connection that is opened here. */
  nextId(): number {
    return ++this.#lastConnection;
  }

  /** The channels of which nobody knows yet where they lead. */
  *channels(): Iterable<Channel> {
    for (const { channel, home } of this.#openings.values()) if (home.peer === undefined) yield channel;
  }

  /** Sends a channel's open: at once, or as soon as there is a link. */
  add(channel: Channel, home: Home): void {
    const opening = { channel, home, isWaiting: false };
    this.#openings.set(channel.key, opening);
    this.#send(opening);
  }

  delete(connection: number): void {
    this.#openings.delete(connection);
  }

  /** Sends them all: there is a new link. */
  sendAgain(): void {
    for (const opening of this.#openings.values()) this.#send(opening);
  }

  /** The link is lost. */
  lose(): void {
    for (const [connection, { channel, home }] of this.#openings) {
      // With a known peer it is taken up from there; one that was given up is asked for by nobody.
      if (home.peer !== undefined) this.#openings.delete(connection);
      else if (channel.isOver) channel.forget();
    }
  }

  /** The router has given an open to a peer. @throws ProtocolError */
  route({ connection, address, session }: RouterFrameOf<"routed">): void {
    const opening = this.#openings.get(connection);
    if (opening === undefined) {
      if (connection > this.#lastConnection) throw new ProtocolError(`Connection ${connection} was never opened`, 0);
      // It ended by what the peer said of the same open on its way before.
      return;
    }
    this.#openings.delete(connection);
    const peer = this.#start.bind(address, opening.channel.peer, session);
    if (opening.home.peer === undefined) settle(opening, peer);
  }

  /** A peer answers an open whose `routed` was lost with a link. The answer shows that this session got the open. */
  adopt(peer: Peer, connection: number): Channel | undefined {
    const opening = this.#openings.get(connection);
    if (opening === undefined || opening.home.peer !== undefined || opening.channel.peer !== peer.name)
      return undefined;
    settle(opening, peer);
    // Any later answer of the router to this open would tell nothing new.
    this.#openings.delete(connection);
    return opening.channel;
  }

  refuse({ connection, code, reason }: RouterFrameOf<"refused">): void {
    const opening = this.#openings.get(connection);
    if (opening === undefined) return;
    const { channel, home } = opening;
    if (code !== errorCodes.peerAbsent || (channel.opens < 2 && home.peer === undefined)) {
      channel.fail(channel.error(connectionCode(code), reason));
      return;
    }
    // The peer may have got it, and is away: it is given the time that the open has.
    if (home.peer !== undefined) {
      this.#openings.delete(connection);
      return;
    }
    opening.isWaiting = true;
    const { clock } = this.#start;
    clock.after(backoffMs(channel.opens, clock.random()), () => {
      if (opening.isWaiting && this.#openings.get(connection) === opening) this.#send(opening);
    });
  }

  #send(opening: Opening): void {
    const { channel, home } = opening;
    const link = this.#start.link();
    if (link === undefined) return;
    if (channel.isOver) {
      channel.forget();
      return;
    }
    channel.opens++;
    opening.isWaiting = false;
    const { key: connection, peer, protocol, metadata } = channel;
    // The same each time that the open is sent.
    const { flags = 0, payload: first = noBytes } = channel.sender.first ?? {};
    const { limit } = channel.receiver.position();
    const to = { address: routerAddress, session: home.peer?.session ?? anySession, peer };
    link.frame(routerAddress, { kind: "open", connection, ...to, protocol, limit, metadata, flags, first });
  }
}

/** The session that got an open is known now. */
function settle({ channel, home }: Opening, peer: Peer): void {
  home.peer = peer;
  peer.channels.set(channel.key, channel);
  if (peer.at !== undefined) channel.routed(peer.at);
}
