import {
  anySession,
  clientLimits,
  errorCodes,
  ProtocolError,
  routerAddress,
  type RouterFrameOf,
  splitLabel,
} from "@messagepasser/protocol";
import type { Channel } from "../connection/channel.ts";
import type { Message } from "../connection/message.ts";
import { connectionCode } from "../errors.ts";
import { backoffMs } from "../link/backoff.ts";
import type { Link } from "../link/link.ts";
import type { Clock } from "../link/platform.ts";
import type { PeerSession } from "../presence.ts";
import { type Leaver, OpenPace } from "./open-pace.ts";
import type { Peer } from "./peer.ts";
import type { Reader } from "./watches.ts";

const noBytes = new Uint8Array();
/** As the address of an open to the router: any session but that one. */
const excluded = 1;

/** Where a channel is kept. An opener's channel has no home until the router has said which session got the open. */
export interface Home {
  peer: Peer | undefined;
  /** Whether another session may have got the open too, since it was sent again before anybody knew who had it. */
  hasStrayed?: boolean;
}

/** What a Connection is opened with. */
export interface OpenStart {
  readonly metadata?: Readonly<Record<string, string>>;
  /** A message that goes with the open. */
  readonly first?: Message | undefined;
  /** For how many milliseconds to ask again for a peer that is absent. Default: 0. */
  readonly waitMs?: number | undefined;
  /** Default: any session of the peer. */
  readonly to?: Target | undefined;
}

/** The sessions that may get an open. */
export interface Target {
  /** The peer's name, and after a colon the instance, if only that one is to get it. */
  readonly label: string;
  /** The only session that is to get it; `anySession` for whichever the router chooses. */
  readonly session: string;
  /** Whether `session` is the one that must not get it, since it has such an open already and doesn't answer. */
  readonly isExcluded?: boolean;
}

/** An open that the router has not answered. */
interface Opening {
  readonly channel: Channel;
  readonly home: Home;
  readonly to: Target;
  /** Until when, by the clock, to ask again for a peer that is absent. */
  readonly waitUntilMs: number;
  /** Its place among the opens that leave in turn. */
  leaver: Leaver | undefined;
  /** Whether it is not its turn yet. */
  isHeld: boolean;
  /** Whether the router has refused it for now, and it will be sent again. */
  isWaiting: boolean;
  /** Whether it was refused once for a protocol that nobody served. */
  mayHaveCrossed: boolean;
  /** Whether a session may have got it: a link was lost before the router had answered. */
  mayHaveArrived: boolean;
  /** How often the router has refused it for now. */
  refusals: number;
  /** Tells whether the peer is there, while the open waits for that. */
  reader: Reader | undefined;
}

/** What `Openings` needs from its session. */
interface OpeningsStart {
  readonly clock: Clock;
  /** The link, while the router takes frames. */
  link(): Link | undefined;
  /** Tells which sessions of a name there are; `undefined` while too many other names are watched. */
  watch(name: string): Reader | undefined;
  /** A peer's session is at this address now. */
  bind(address: number, label: string, session: string): Peer;
}

/** The opens of a session that the router has not answered. Each is sent again on every new link until it is answered. */
export class Openings {
  readonly #start: OpeningsStart;
  readonly #openings = new Map<number, Opening>();
  readonly #pace: OpenPace;
  #lastConnection = 0;

  constructor(start: OpeningsStart) {
    this.#start = start;
    this.#pace = new OpenPace(start.clock, start.link);
  }

  /** The id of the next Connection that is opened here. */
  nextId(): number {
    return ++this.#lastConnection;
  }

  /** The channels whose session at the other end isn't known yet. */
  *channels(): Iterable<Channel> {
    for (const { channel, home } of this.#openings.values()) if (home.peer === undefined) yield channel;
  }

  /** Sends a channel's open: at once, or as soon as there is a link and it is its turn. */
  add(
    channel: Channel,
    home: Home,
    { waitMs = 0, to = { label: channel.peer, session: anySession } }: OpenStart,
  ): void {
    const opening = this.#keep(channel, home, to, this.#start.clock.now() + waitMs);
    const decided = (): void => {
      if (opening.leaver !== undefined) this.#pace.decided(opening.leaver);
      opening.reader?.close();
      // Nobody was told of it, or the router has refused it and its turn has not come again.
      if (channel.isOver && (channel.opens === 0 || opening.isHeld)) channel.forget();
    };
    channel.accepted.then(decided, decided);
    this.#sendInTurn(opening);
  }

  /** Sends an open when it is its turn, which may be at once. */
  #sendInTurn(opening: Opening): void {
    const { channel, leaver: before } = opening;
    if (before !== undefined) this.#pace.decided(before);
    opening.isHeld = true;
    opening.leaver = {
      peer: channel.peer,
      bytes: (channel.sender.first?.payload.length ?? 0) + sizeOf(channel.metadata),
      leave: () => {
        opening.isHeld = false;
        this.#send(opening);
      },
    };
    this.#pace.add(opening.leaver);
  }

  /** Sends a channel's open once more, to a peer's session that may not have got it. */
  repeat(channel: Channel, home: Home): void {
    const { label = channel.peer, session = anySession } = home.peer ?? {};
    this.#send(this.#keep(channel, home, { label, session }, 0));
  }

  delete(connection: number): void {
    this.#openings.delete(connection);
  }

  /** Sends them all: there is a new link. */
  sendAgain(): void {
    for (const opening of this.#openings.values()) if (!opening.isHeld) this.#send(opening);
    // Opens that waited for a turn of the lost link.
    this.#pace.takeTurn();
  }

  stop(): void {
    this.#pace.stop();
  }

  /** The link is lost. */
  lose(): void {
    for (const [connection, opening] of this.#openings) {
      const { channel, home } = opening;
      // Where the session is known, its peer sends the open again. An open that was given up isn't sent again.
      if (home.peer !== undefined) this.#openings.delete(connection);
      else if (channel.isOver) channel.forget();
      else opening.mayHaveArrived ||= channel.opens > 0 && !opening.isWaiting;
    }
  }

  /** The router has given an open to a peer. @throws ProtocolError */
  route({ connection, address, session, peer: label }: RouterFrameOf<"routed">): void {
    const opening = this.#openings.get(connection);
    if (opening === undefined && connection > this.#lastConnection)
      throw new ProtocolError(`Connection ${connection} was never opened`, 0);
    if (opening !== undefined && splitLabel(label).name !== opening.channel.peer)
      throw new ProtocolError(`Connection ${connection} was opened to somebody else`, 0);
    const peer = this.#start.bind(address, label, session);
    // A session has answered the same open, which came on an earlier link. Another one that has it now is told so when it
    // says anything on the Connection.
    if (opening === undefined) return;
    this.#openings.delete(connection);
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
    const { clock } = this.#start;
    const leftMs = opening.waitUntilMs - clock.now();
    const again = (): void => {
      if (!opening.isWaiting || opening.isHeld || this.#openings.get(connection) !== opening) return;
      if (channel.isOver) channel.forget();
      else this.#sendInTurn(opening);
    };
    const isFinal = leftMs <= 0 && !opening.mayHaveArrived && home.peer === undefined;
    // A session that begins to serve the protocol in this moment tells the router so on another link than this one.
    if (code === errorCodes.unknownProtocol && home.peer === undefined && !opening.mayHaveCrossed) {
      opening.isWaiting = opening.mayHaveCrossed = true;
      clock.after(clientLimits.crossedOpenMs, again);
      return;
    }
    const { peerAbsent, unknownProtocol, busy } = errorCodes;
    const isAbsence = code === peerAbsent || (opening.mayHaveArrived && (code === unknownProtocol || code === busy));
    if (!isAbsence || isFinal) {
      channel.fail(channel.error(connectionCode(code), reason));
      return;
    }
    // The session that got the open is away, and may come back until the open times out.
    if (home.peer !== undefined) {
      this.#openings.delete(connection);
      return;
    }
    opening.isWaiting = true;
    const pauseMs = backoffMs(++opening.refusals, clock.random(), clientLimits.maxResumeRetryMs);
    if (leftMs > 0) {
      // The last time: now the answer is final.
      clock.after(leftMs, again);
      const reader = (opening.reader ??= this.#start.watch(channel.peer));
      const isSought = (session: PeerSession): boolean => isTarget(opening.to, session);
      if (reader?.knows(isSought) === false) {
        reader.onTold = () => {
          if (reader.knows(isSought)) again();
        };
        return;
      }
    }
    // Such a session is listed and yet was not found, or no more names can be watched.
    clock.after(pauseMs, again);
  }

  #keep(channel: Channel, home: Home, to: Target, waitUntilMs: number): Opening {
    const opening: Opening = {
      channel,
      home,
      to,
      waitUntilMs,
      leaver: undefined,
      isHeld: false,
      isWaiting: false,
      mayHaveCrossed: false,
      mayHaveArrived: false,
      refusals: 0,
      reader: undefined,
    };
    this.#openings.set(channel.key, opening);
    return opening;
  }

  #send(opening: Opening): void {
    const { channel } = opening;
    const link = this.#start.link();
    if (link === undefined) return;
    if (channel.isOver) {
      channel.forget();
      return;
    }
    channel.opens++;
    opening.isWaiting = false;
    const { key: connection, protocol, metadata } = channel;
    // The same each time that the open is sent.
    const { flags = 0, payload: first = noBytes } = channel.sender.first ?? {};
    const { limit } = channel.receiver.position();
    const { label: peer, session, isExcluded = false } = opening.to;
    const to = { address: isExcluded ? excluded : routerAddress, session, peer };
    link.frame(routerAddress, { kind: "open", connection, ...to, protocol, limit, metadata, flags, first });
  }
}

/** Whether a session is one that may get an open. */
function isTarget({ label, session, isExcluded = false }: Target, to: PeerSession): boolean {
  const { name, instance } = splitLabel(label);
  return (
    name === to.name &&
    (instance === "" || instance === to.instance) &&
    (session === anySession || (session === to.session) !== isExcluded)
  );
}

/** The size of an open's metadata: at least a third of the bytes of UTF-8. */
export function sizeOf(metadata: Readonly<Record<string, string>>): number {
  let size = 0;
  for (const key in metadata) size += key.length + (metadata[key]?.length ?? 0);
  return size;
}

/** The session that got an open is known now. */
function settle({ channel, home, mayHaveArrived }: Opening, peer: Peer): void {
  home.peer = peer;
  home.hasStrayed = mayHaveArrived;
  peer.channels.set(channel.key, channel);
  if (peer.at !== undefined) channel.routed(peer.at);
}
