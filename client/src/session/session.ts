import {
  clientLimits,
  errorCodes,
  flipOpenerBit,
  type FrameReader,
  goneReasons,
  type PeerFrame,
  ProtocolError,
  routerAddress,
  type RouterFrame,
  type SegmentFormat,
} from "@messagepasser/protocol";
import { Budget } from "../connection/budget.ts";
import { endings } from "../connection/error-text.ts";
import type { Channel } from "../connection/channel.ts";
import type { Shared } from "../connection/path.ts";
import { type LinkError, linkErrorOf } from "../errors.ts";
import { Link, type LinkEvents, type Login } from "../link/link.ts";
import { Downlink } from "../link/downlink.ts";
import { Redial } from "../link/redial.ts";
import type { Platform, SocketEnd } from "../link/platform.ts";
import { Arrivals } from "./arrivals.ts";
import { Channels } from "./channels.ts";
import { type Home, Openings, type OpenStart } from "./openings.ts";
import type { Peer } from "./peer.ts";
import { Peers } from "./peers.ts";
import { type LinkStatus, type Status, tell } from "../status.ts";
import { Upkeep } from "../connection/upkeep.ts";
import { Paths } from "./paths.ts";
import { Serving } from "./serving.ts";
import { endDenied, RuleChecks } from "./rule-check.ts";
import { Watches } from "./watches.ts";

/** Where a session connects to and as whom. */
export interface SessionStart {
  /** The router's address for the realm, with scheme ws or wss. */
  readonly url: URL;
  /** Absent for the native one. */
  readonly format: SegmentFormat | undefined;
  readonly login: Login;
  /** The end of a sentence that begins with "Cannot connect to". */
  readonly who: string;
  readonly maxMessageBytes: number;
  /** How long Connections wait for a link, here or at the peer, before they fail. */
  readonly graceMs: number;
  /** Whether the first attempt to connect is retried like a later one. Default: false. */
  readonly retries?: boolean;
  readonly onStatus: (status: Status) => void;
}

/**
 * One life of a client. Keeps a link to the router, reconnects when the link is lost, and continues its channels with all
 * peers where they were. Passes each frame of the link to the object that handles it.
 */
export class Session implements LinkEvents {
  /** Gets each channel that another client opened, to accept or to reject. Set before the session is welcome. */
  onIncoming: (channel: Channel) => void = () => undefined;

  readonly #platform: Platform;
  readonly #start: SessionStart;
  readonly #shared: Shared;
  readonly #peers: Peers;
  readonly #redial: Redial;
  readonly downlink: Downlink;
  readonly #welcomed = Promise.withResolvers<undefined>();
  readonly #closed = Promise.withResolvers<LinkError | undefined>();
  readonly #openings: Openings;
  readonly #channels: Channels;
  readonly #arrivals: Arrivals;
  readonly watches = new Watches((frame) => {
    this.#online?.frame(routerAddress, frame);
  });
  readonly #ruleChecks: RuleChecks;
  /** What this session serves. */
  readonly serving: Serving;
  readonly #stopListening: readonly ((() => void) | undefined)[];
  #state: "connecting" | "online" | "offline" | "leaving" | "over" = "connecting";
  #link: Link;
  #cancelDial: () => void = () => undefined;
  #lastError: LinkError | undefined;
  /** What the program was told last. It can ask only once the router has let the client in. */
  #status: LinkStatus = { kind: "online" };

  constructor(platform: Platform, start: SessionStart) {
    const { clock } = platform;
    this.#platform = platform;
    this.#start = start;
    this.#shared = { clock, budget: new Budget(), upkeep: new Upkeep(clock) };
    this.#redial = new Redial(clock, {
      retriesFirst: start.retries === true,
      hasFreshSecrets: typeof start.login.secret === "function",
    });
    this.downlink = new Downlink(clock);
    this.#peers = new Peers({
      clock,
      graceMs: start.graceMs,
      ask: (peer) => {
        this.#ask(peer);
      },
      giveUp: (peer) => {
        this.#giveUp(peer);
      },
    });
    this.#openings = new Openings({
      clock,
      link: () => this.#online,
      watch: (name) => this.watches.open(name, clientLimits.maxSoughtNames),
      bind: (address, label, session) => this.#bind(address, label, session),
    });
    this.#ruleChecks = new RuleChecks(clock, () => this.#online);
    this.serving = new Serving(platform.defer, () => this.#online);
    const { maxMessageBytes } = start;
    const [shared, openings, paths] = [this.#shared, this.#openings, new Paths(this.#shared.budget, this.downlink)];
    this.#channels = new Channels({ shared, paths, openings, maxMessageBytes });
    this.#arrivals = new Arrivals({
      channels: this.#channels,
      paths,
      peers: this.#peers,
      defer: platform.defer,
      onIncoming: (channel) => {
        this.onIncoming(channel);
      },
    });
    this.#stopListening = [
      platform.onNetworkChange?.(() => {
        if (this.#state === "offline") this.#dialAgain();
        else this.#online?.probe(clientLimits.networkChangeAnswerMs);
      }),
      platform.onLeave?.(() => {
        this.bye();
      }),
    ];
    this.#link = this.#dial();
  }

  /** Resolves when the router has let the client in; rejects with why not. */
  get welcomed(): Promise<undefined> {
    return this.#welcomed.promise;
  }

  /** Resolves when the session is over: with `undefined` after `bye`, with the error otherwise. Never rejects. */
  get closed(): Promise<LinkError | undefined> {
    return this.#closed.promise;
  }

  get status(): LinkStatus {
    return this.#status;
  }

  get isOver(): boolean {
    return this.#state === "over";
  }

  /** The link, while the router takes frames. */
  get #online(): Link | undefined {
    return this.#state === "online" ? this.#link : undefined;
  }

  /** Every channel that the other end may still send frames for. */
  *channels(): Iterable<Channel> {
    yield* this.#openings.channels();
    for (const peer of this.#peers) yield* peer.channels.values();
  }

  /** Opens a channel: at once, or as soon as there is a link. */
  open(peer: string, protocol: string, { metadata, first, waitMs, to }: OpenStart = {}): Channel {
    const home: Home = { peer: undefined };
    const own = { key: this.#openings.nextId(), peer, protocol, metadata: metadata ?? {} };
    const channel = this.#channels.make(own, home);
    if (first !== undefined) channel.sender.sendFirst(first);
    this.#openings.add(channel, home, { waitMs, to });
    return channel;
  }

  /** Tells the router that this session is over. */
  bye(): void {
    if (this.#state !== "online") {
      this.drop("there is no link");
      return;
    }
    this.#shared.upkeep.run();
    this.#state = "leaving";
    this.#link.frame(routerAddress, { kind: "bye" });
    this.#link.close(1000, "Bye");
  }

  /** Gives up at once, without telling any peer. */
  drop(reason: string): void {
    if (this.#state === "offline" || this.#state === "connecting") {
      this.#end(this.#redial.hasBeenIn ? undefined : this.#vain(reason));
      return;
    }
    if (this.#state === "online") this.#state = "leaving";
    this.#link.drop({ closeCode: 1006, reason });
  }

  onEnd(end: SocketEnd): void {
    if (this.#state === "over") return;
    const { who } = this.#start;
    const wasIn = this.#state === "online" || this.#state === "leaving";
    const error = linkErrorOf(end, `${wasIn ? "Lost the link to" : "Cannot connect to"} ${who}`, wasIn);
    const retryInMs = this.#state === "leaving" ? undefined : this.#redial.pauseMs(error, end.delayMs);
    if (retryInMs !== undefined) this.#goOffline(error, retryInMs);
    else this.#end(this.#state === "leaving" ? undefined : error);
  }

  onRouterFrame(frame: RouterFrame): void {
    const isIn = this.#state !== "connecting" && this.#state !== "offline";
    if (isIn === (frame.kind === "welcome") && frame.kind !== "closing")
      throw new ProtocolError(isIn ? "A second welcome" : `Frame "${frame.kind}" before the welcome`, 0);
    switch (frame.kind) {
      case "welcome":
        this.#shared.budget.allow(frame.budget);
        this.#goOnline();
        break;
      case "open":
        this.#arrivals.receive(frame, this.#bind(frame.address, frame.peer, frame.session));
        break;
      case "routed":
        this.#openings.route(frame);
        break;
      case "refused":
        this.#openings.refuse(frame);
        break;
      case "paired":
        this.#bind(frame.address, frame.peer, frame.session);
        break;
      case "gone":
        this.#lose(this.#peers.at(frame.address), frame.reason);
        break;
      case "absent": {
        const peer = this.#peers.of(frame.peer, frame.session);
        // A peer with an address has come back meanwhile.
        if (peer?.address === 0 || frame.reason !== goneReasons.lost) this.#lose(peer, frame.reason);
        break;
      }
      case "present":
      case "left":
      case "snapshot":
        this.watches.receive(frame);
        break;
      case "mark":
        this.#shared.budget.allow(frame.budget);
        this.#link.frame(routerAddress, { kind: "reached", token: frame.token });
        break;
      case "rulesChanged": {
        const peer = this.#peers.at(frame.address);
        if (peer !== undefined) this.#ruleChecks.add(peer);
        break;
      }
      case "denied":
        endDenied(this.#peers.at(frame.address), frame);
        break;
      case "closing":
        this.#link.drop({ closeCode: frame.code, reason: frame.reason, delayMs: frame.delayMs });
        break;
      default:
        throw new ProtocolError(`Frame "${frame.kind}" out of place`, 0);
    }
  }

  /** Frames from the client at an address. A peer that breaks the rules loses its channels here, and nobody else does. */
  onSegment(address: number, frames: FrameReader<PeerFrame>): void {
    const peer = this.#peers.at(address);
    // Late frames of a peer that is gone.
    if (peer === undefined) return;
    this.#redial.hasMoved = true;
    let unknown: number | undefined;
    try {
      let channel: Channel | undefined;
      for (let frame = frames.next(); frame !== undefined; frame = frames.next()) {
        if (channel?.key !== frame.connection)
          channel = peer.channels.get(frame.connection) ?? this.#openings.adopt(peer, frame.connection);
        if (channel !== undefined) channel.receive(frame);
        else if (frame.kind !== "done" && frame.connection !== unknown) {
          unknown = frame.connection;
          peer.frame({ kind: "done", connection: flipOpenerBit(unknown) });
        }
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

  #tell(status: Status): void {
    if (status.kind !== "resumed") this.#status = status;
    tell(this.#start.onStatus, status);
  }

  #dial(): Link {
    const { url, format, login } = this.#start;
    return new Link(this.#platform, url, format, login, this);
  }

  #dialAgain(): void {
    // A link that is still being dialled would be a second one.
    this.#link.drop({ closeCode: 1006, reason: "dialled anew" });
    this.#cancelDial();
    this.#link = this.#dial();
  }

  #goOnline(): void {
    const isFirst = this.#state === "connecting";
    this.#state = "online";
    this.#redial.online();
    this.#link.keepAlive();
    this.#tell({ kind: "online" });
    this.#welcomed.resolve(undefined);
    this.serving.tellAll();
    if (isFirst) return;
    for (const peer of this.#peers) if (peer.isSought) this.#ask(peer);
    this.#openings.sendAgain();
    this.watches.askAgain();
  }

  #goOffline(error: LinkError, retryInMs: number): void {
    this.#state = "offline";
    this.#lastError = error;
    this.#peers.loseAll();
    this.#ruleChecks.clear();
    this.#openings.lose();
    this.watches.lose();
    this.#cancelDial = this.#platform.clock.after(retryInMs, () => {
      this.#dialAgain();
    });
    this.#tell({ kind: "offline", error, retryInMs });
  }

  /** The error of a client that gives up before it was ever let in. */
  #vain(reason: string): LinkError {
    const end = this.#link.endOf(reason, this.#lastError);
    return linkErrorOf(end, `Cannot connect to ${this.#start.who}`, false);
  }

  #end(error: LinkError | undefined): void {
    if (this.#state === "over") return;
    this.#state = "over";
    // It may still be dialling.
    this.#link.drop({ closeCode: 1006, reason: "" });
    this.#cancelDial();
    for (const stop of this.#stopListening) stop?.();
    this.#shared.upkeep.stop();
    this.#ruleChecks.clear();
    this.#openings.stop();
    this.#closed.resolve(error);
    const code = error === undefined ? "closed" : "link-lost";
    const what = error === undefined ? "this client is closed" : `the link to the router is lost: ${error.code}`;
    if (error !== undefined) this.#welcomed.reject(error);
    for (const channel of this.channels()) channel.fail(channel.error(code, what));
    for (const peer of this.#peers) peer.stopSearch();
    if (this.#redial.hasBeenIn) this.#tell({ kind: "closed" });
    this.watches.end(error ?? "closed");
  }

  #ask({ session, label: peer }: Peer): void {
    this.#online?.frame(routerAddress, { kind: "resume", session, peer });
  }

  #bind(address: number, label: string, session: string): Peer {
    const known = this.#peers.at(address);
    // Each open comes by here. On one link an address stays with its session.
    if (known?.label === label && known.session === session) return known;
    const wasSought = this.#peers.of(label, session)?.isSought === true;
    const peer = this.#peers.bind(this.#link, address, label, session);
    if (wasSought) this.#tell({ kind: "resumed", peer: peer.name });
    return peer;
  }

  #lose(peer: Peer | undefined, reason: number): void {
    if (peer === undefined) return;
    const what = endings.get(reason);
    if (what === undefined) {
      this.#peers.lose(peer, "away");
      return;
    }
    const code = reason === goneReasons.forbidden ? "not-allowed" : "peer-gone";
    for (const channel of peer.channels.values()) channel.fail(channel.error(code, `"${peer.name}" ${what}`));
    this.#peers.end(peer, reason === goneReasons.ended);
  }

  /** A peer was away for too long. Ends its channels; the peer is told if it comes back. */
  #giveUp(peer: Peer): void {
    const seconds = this.#start.graceMs / 1_000;
    for (const channel of peer.channels.values()) {
      const error =
        this.#state === "online"
          ? channel.error("peer-gone", `"${peer.name}" lost its link and was not back within ${seconds} s`)
          : channel.error("link-lost", `no link to the router for ${seconds} s: ${this.#lastError?.code ?? ""}`);
      channel.reset(errorCodes.graceExpired, "", error);
    }
  }
}
