import {
  errorCodes,
  goneReasons,
  limits,
  nameOfCode,
  openerBit,
  PeerFrameReader,
  ProtocolError,
  routerAddress,
  type RouterFrame,
} from "@messagepasser/protocol";
import { Channel, type ChannelStart, type Route } from "./connection/channel.ts";
import { type LinkError, linkErrorOf } from "./errors.ts";
import { Link, type LinkEvents } from "./link/link.ts";
import type { Credentials, Platform, SocketEnd } from "./link/platform.ts";
import { Peer } from "./peer.ts";
import { waiting, type Waiting } from "./waiting.ts";

/** How much a peer may send on a Connection beyond what was taken here. */
const windowBytes = 1_048_576;

type Frame<Kind extends RouterFrame["kind"]> = Extract<RouterFrame, { kind: Kind }>;

/** Where a session connects to and as whom. */
export interface SessionStart {
  /** The router's address for the realm, with scheme ws or wss. */
  readonly url: URL;
  readonly credentials: Credentials;
  /** The end of a sentence that begins with "Cannot connect to". */
  readonly who: string;
  readonly maxMessageBytes: number;
}

/**
 * One life of a client: the channels that it has, by the peers that they are with. Takes the frames of the link apart and
 * gives each to whom it belongs.
 */
export class Session implements LinkEvents {
  /** Gets each channel that another client opened, to accept or to reject. Set before the session is welcome. */
  onIncoming: (channel: Channel) => void = () => undefined;

  readonly #platform: Platform;
  readonly #who: string;
  readonly #maxMessageBytes: number;
  readonly #link: Link;
  readonly #welcomed = Promise.withResolvers<undefined>();
  readonly #closed = Promise.withResolvers<LinkError | undefined>();
  readonly #peers = new Map<number, Peer>();
  /** Opened from here and not yet routed, by id; also those given up meanwhile, until the router has answered. */
  readonly #opening = new Map<number, Channel>();
  readonly #lists = new Map<number, Waiting<Frame<"peers">>>();
  #state: "connecting" | "welcome" | "leaving" | "over" = "connecting";
  #lastConnection = 0;
  #lastList = 0;

  constructor(platform: Platform, { url, credentials, who, maxMessageBytes }: SessionStart) {
    this.#platform = platform;
    this.#maxMessageBytes = maxMessageBytes;
    this.#who = who;
    this.#link = new Link(platform, url, credentials, this);
  }

  /** Resolves when the router has let the client in; rejects with why not. */
  get welcomed(): Promise<undefined> {
    return this.#welcomed.promise;
  }

  /** Resolves when the link is gone: with `undefined` after `bye`, with the error otherwise. Never rejects. */
  get closed(): Promise<LinkError | undefined> {
    return this.#closed.promise;
  }

  get isOver(): boolean {
    return this.#state === "over";
  }

  /** Every channel that isn't over. */
  *channels(): Iterable<Channel> {
    yield* this.#opening.values();
    for (const peer of this.#peers.values()) yield* peer.channels.values();
  }

  /** Makes a channel for an open of ours; `open` sends it. */
  outgoing(peer: string, protocol: string, metadata: Readonly<Record<string, string>>): Channel {
    return this.#channel({ key: ++this.#lastConnection, peer, protocol, metadata, sendLimit: 0 });
  }

  /** Sends the open of a channel that `outgoing` made. */
  open(channel: Channel, early: Uint8Array): void {
    const { key: connection, peer, protocol, metadata } = channel;
    this.#opening.set(connection, channel);
    this.#link.frame(routerAddress, {
      kind: "open",
      connection,
      peer,
      protocol,
      limit: channel.receiver.limit,
      metadata,
      early,
    });
  }

  /** Asks the router for one page of names. */
  list(cursor: string, signal: AbortSignal | undefined): Promise<Frame<"peers">> {
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    const request = ++this.#lastList;
    const { promise, ...wait } = waiting<Frame<"peers">>(signal, () => this.#lists.delete(request));
    this.#lists.set(request, wait);
    this.#link.frame(routerAddress, { kind: "list", request, cursor });
    // The router takes one list a batch.
    this.#link.flush();
    return promise;
  }

  /** Tells the router that this session is over. */
  bye(): void {
    if (this.#state !== "welcome") return;
    this.#state = "leaving";
    this.#link.frame(routerAddress, { kind: "bye" });
    this.#link.close(1000, "Bye");
  }

  /** Gives up at once; nobody is told. */
  drop(reason: string): void {
    this.#link.drop({ closeCode: 1006, reason });
  }

  onEnd(end: SocketEnd): void {
    const wasIn = this.#state !== "connecting";
    const error = linkErrorOf(end, `${wasIn ? "Lost the link to" : "Cannot connect to"} ${this.#who}`, wasIn);
    const what = this.#state === "leaving" ? "this client is closed" : `the link to the router is lost: ${error.code}`;
    const code = this.#state === "leaving" ? "closed" : "link-lost";
    this.#closed.resolve(this.#state === "leaving" ? undefined : error);
    this.#state = "over";
    this.#welcomed.reject(error);
    for (const channel of this.channels()) channel.fail(channel.error(code, what));
    for (const list of this.#lists.values()) list.reject(error);
    this.#lists.clear();
  }

  onRouterFrame(frame: RouterFrame): void {
    if (this.#state === "connecting" && frame.kind !== "welcome")
      throw new ProtocolError(`Frame "${frame.kind}" before the welcome`, 0);
    switch (frame.kind) {
      case "welcome":
        if (this.#state !== "connecting") throw new ProtocolError("A second welcome", 0);
        this.#state = "welcome";
        this.#link.keepAlive();
        this.#welcomed.resolve(undefined);
        break;
      case "incoming":
        this.#receiveOpen(frame);
        break;
      case "routed":
        this.#route(frame);
        break;
      case "refused": {
        const channel = this.#opening.get(frame.connection);
        this.#opening.delete(frame.connection);
        channel?.refuse(frame.code, frame.reason);
        break;
      }
      case "gone":
        this.#lose(frame);
        break;
      case "peers":
        this.#lists.get(frame.request)?.resolve(frame);
        this.#lists.delete(frame.request);
        break;
      case "closing":
        this.#link.drop({ closeCode: frame.code, reason: frame.reason });
        break;
      case "open":
      case "list":
      case "bye":
        throw new ProtocolError(`Frame "${frame.kind}" out of place`, 0);
    }
  }

  /** Frames from the client at an address. A peer that breaks the rules loses its channels here, and nobody else does. */
  onSegment(address: number, frames: PeerFrameReader): void {
    const peer = this.#peers.get(address);
    // Late frames of a peer that is gone.
    if (peer === undefined) return;
    try {
      let channel: Channel | undefined;
      for (let frame = frames.next(); frame !== undefined; frame = frames.next()) {
        if (channel?.key !== frame.connection) channel = peer.channels.get(frame.connection);
        // Frames for a channel that is over here were on the way when it ended.
        channel?.receive(frame);
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      for (const channel of peer.channels.values()) {
        channel.reset(
          errorCodes.violation,
          error.message,
          channel.error("violation", `malformed frames came from "${peer.name}": ${error.message}`),
        );
      }
    }
  }

  #receiveOpen(open: Frame<"incoming">): void {
    const { connection } = open;
    const peer = this.#peerAt(open.address, open.peer);
    const key = (connection | openerBit) >>> 0;
    const known = peer.channels.get(key);
    if (known !== undefined) {
      // The peer's fault, not the router's: only this Connection ends.
      known.reset(errorCodes.violation, "Opened twice", known.error("violation", `"${peer.name}" opened it twice`));
      return;
    }
    if (peer.channels.size >= limits.maxConnectionsPerPeer) {
      const reason = `There are ${peer.channels.size} Connections between the two already`;
      peer.frame({ kind: "reject", connection, code: errorCodes.tooManyConnections, reason });
      return;
    }
    const { protocol, metadata, limit: sendLimit, early } = open;
    const channel = this.#channel({ key, peer: peer.name, protocol, metadata, sendLimit }, peer);
    peer.channels.set(key, channel);
    this.onSegment(peer.address, new PeerFrameReader(early));
    // Whoever waits for `connect` gets the chance to add handlers before the first open that came with the welcome.
    this.#platform.defer(() => {
      if (!channel.isOver) this.onIncoming(channel);
    });
  }

  #channel(start: Omit<ChannelStart, "windowBytes" | "maxMessageBytes" | "onOver">, peer?: Peer): Channel {
    const onOver = (route: Route | undefined): void => {
      // Channels in here are only ever bound to peers.
      if (route instanceof Peer) route.channels.delete(start.key);
    };
    return new Channel({ ...start, windowBytes, maxMessageBytes: this.#maxMessageBytes, onOver }, peer);
  }

  #route({ connection, address }: Frame<"routed">): void {
    const channel = this.#opening.get(connection);
    if (channel === undefined) throw new ProtocolError(`Connection ${connection} was routed, but not opened`, 0);
    this.#opening.delete(connection);
    const peer = this.#peerAt(address, channel.peer);
    if (channel.isOver) {
      // Given up before the router had answered: now the other end can be told.
      peer.frame({
        kind: "reset",
        connection: (connection | openerBit) >>> 0,
        code: errorCodes.openTimedOut,
        reason: "",
      });
      return;
    }
    channel.bind(peer);
    peer.channels.set(connection, channel);
  }

  #lose({ address, reason }: Frame<"gone">): void {
    const peer = this.#peers.get(address);
    if (peer === undefined) return;
    this.#peers.delete(address);
    const what = goneSentence(reason);
    for (const channel of peer.channels.values()) channel.fail(channel.error("peer-gone", `"${peer.name}" ${what}`));
  }

  #peerAt(address: number, name: string): Peer {
    let peer = this.#peers.get(address);
    if (peer === undefined) {
      peer = new Peer(this.#link, address, name);
      this.#peers.set(address, peer);
    }
    return peer;
  }
}

function goneSentence(reason: number): string {
  switch (nameOfCode(goneReasons, reason)) {
    case "over":
      return "ended its session";
    case "superseded":
      return "was replaced by another client of that name";
    case "cut":
      return "may no longer be reached from here";
    default:
      return "lost its link to the router";
  }
}
