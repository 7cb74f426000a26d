import {
  anySession,
  errorCodes,
  goneReasons,
  limits,
  type PeerFrame,
  peerProblem,
  ProtocolError,
  protocolProblem,
  routerAddress,
  type RouterFrame,
  type RouterFrameOf,
  SegmentReader,
} from "@messagepasser/protocol";
import { byteLength, type NamedFormat, type SegmentFormat, type WireMessage } from "@messagepasser/protocol/formats";
import { builtInPeerNamed } from "./built-in-peers.ts";
import { Access } from "./access.ts";
import { type Closing, closings } from "./closings.ts";
import { Delivery, earlyFor, routerMessages, type Sender } from "./delivery.ts";
import { arePaired, Forwarding } from "./forwarding.ts";
import { type Link, type Links, linksAt } from "./link.ts";
import { patternOf } from "./pattern.ts";
import type { Rules } from "./rules.ts";

/** What routing needs of the world around it. */
export interface Runtime {
  /** Milliseconds since 1970. */
  now(): number;
  /** A random number that nobody can guess. */
  randomU32(): number;
  /** Who may open what to whom. */
  rules(): Rules;
  /** Ends the object with all its links at once: the only way to free its memory. May return, or not. */
  abort(reason: string): void;
}

/**
 * Decides where frames go and whose link ends. All that must last is in the links, so it can vanish between any two
 * calls; what it counts beside that is worth nothing without the memory that it counts.
 * Between two clients it looks at addresses only; the frames inside a segment are the business of the two ends.
 */
export class Routing {
  readonly #links: Links;
  readonly #realm: string;
  readonly #runtime: Runtime;
  readonly #delivery: Delivery;
  readonly #forwarding: Forwarding;
  readonly #access: Access;
  /** Links that were dropped and whose peers don't know yet. */
  readonly #leaving: { readonly link: Link; readonly reason: number }[] = [];
  #isTelling = false;

  constructor(links: Links, realm: string, runtime: Runtime) {
    this.#links = links;
    this.#realm = realm;
    this.#runtime = runtime;
    this.#delivery = new Delivery(
      () => runtime.randomU32(),
      (link, bytes) => {
        this.#giveUp(link, bytes);
      },
    );
    this.#forwarding = new Forwarding(links, this.#delivery);
    this.#access = new Access(links, this.#delivery, () => runtime.rules());
  }

  /** Bytes that may be unread, of links and of those among them that are closing. */
  get unread(): { readonly heldBytes: number; readonly closingBytes: number } {
    return this.#delivery.unread;
  }

  /** Takes a new link in, which gets the name from whoever had it, and tells its client who it is here. */
  join(link: Link): void {
    const holder = this.#links.byName(link.name);
    if (holder !== undefined) {
      // The same session is a client that reconnects; another one has taken the name over, and the old must not fight for it.
      if (holder.session === link.session) this.drop(holder, goneReasons.lost, closings.replaced);
      else this.drop(holder, goneReasons.superseded, closings.superseded);
    }
    this.#links.add(link);
    const { session, name, format } = link;
    if (format.addressing === "name") for (const message of format.preamble) this.#delivery.send(link, message);
    const budget = this.#delivery.tellBudget(link, this.#links.knownCount);
    this.#delivery.say(link, { kind: "welcome", session, name, realm: this.#realm, budget });
  }

  /** The realm's rules are others than before: what they no longer allow ends. */
  changeRules(before: Rules): void {
    this.#access.changeRules(before);
  }

  /**
   * Routes what one WebSocket message carried. Writes sender addresses into its bytes.
   *
   * @returns false when the client said bye.
   * @throws ProtocolError for a message that breaks a rule; what stood before the fault has been routed.
   */
  receive(from: Link, message: WireMessage): boolean {
    const { memory, format } = from;
    // What was on the way when the link was closed still comes.
    if (memory.isOver) return true;
    memory.heardAtMs = this.#runtime.now();
    this.#delivery.gather();
    try {
      if (format.addressing === "name") return this.#receiveNamed(from, format, message);
      if (typeof message === "string") throw new ProtocolError("Text message on a binary format", 0);
      return this.#receiveBatch(from, format, message);
    } finally {
      this.#delivery.handOver();
    }
  }

  #receiveBatch(from: Link, format: SegmentFormat, batch: Uint8Array): boolean {
    const { memory } = from;
    const segments = new SegmentReader(batch);
    /** Addresses in this batch that lead nowhere. */
    let gone: Set<number> | undefined;
    let hasListed = false;
    for (let count = 1; segments.next(); count++) {
      if (count > limits.maxSegments) {
        throw new ProtocolError(`More than ${limits.maxSegments} segments`, segments.headerStart);
      }
      if (segments.address !== routerAddress) {
        if (!this.#forwarding.segment(from, format, segments)) (gone ??= new Set()).add(segments.address);
        // It may be too slow for what it sends to itself, or for what it is answered.
        if (memory.isOver) return true;
        continue;
      }
      const frames = format.routerFrames(batch, segments.start, segments.end);
      for (let frame = frames.next(); frame !== undefined; frame = frames.next()) {
        if (frame.kind === "bye") return false;
        // Each answer may be as large as a batch.
        if (frame.kind === "list" && hasListed) {
          throw new ProtocolError("A second list in one batch: it ends", frames.position);
        }
        hasListed ||= frame.kind === "list";
        this.#control(from, frame, frames.position);
        if (memory.isOver) return true;
      }
    }
    // Unpaired, gone and never issued get one answer, so that nobody can probe for addresses.
    if (gone !== undefined) {
      const answers = Array.from(gone, (address) => ({ kind: "gone", address, reason: goneReasons.lost }) as const);
      this.#delivery.say(from, ...answers);
    }
    return true;
  }

  /** The same for a message that names its peers. */
  #receiveNamed(from: Link, format: NamedFormat, message: WireMessage): boolean {
    const bytes = byteLength(message);
    if (bytes > format.maxMessageBytes)
      throw new ProtocolError(`Message of ${bytes} bytes, where at most ${format.maxMessageBytes} are allowed`);
    const gone = new Set<string>();
    let hasListed = false;
    /** Frames in a row for one peer, which get there as one message. */
    let run: { readonly peer: string; readonly frames: PeerFrame[] } | undefined;
    const forwardRun = (): void => {
      if (run !== undefined && !from.memory.isOver && !this.#forwarding.frames(from, run.peer, run.frames))
        gone.add(run.peer);
      run = undefined;
    };
    try {
      for (const said of format.decode(message, from)) {
        if (said.to === "peer") {
          if (run?.peer !== said.peer) forwardRun();
          run ??= { peer: said.peer, frames: [] };
          run.frames.push(said.frame);
          continue;
        }
        forwardRun();
        if (from.memory.isOver) return true;
        if (said.to === "itself") this.#delivery.send(from, said.answer);
        else if (said.to === "address") this.#forwarding.credit(from, said.address, said.frame);
        else if (said.frame.kind === "bye") return false;
        else {
          if (said.frame.kind === "list" && hasListed) throw new ProtocolError("A second list in one message");
          hasListed ||= said.frame.kind === "list";
          this.#control(from, said.frame);
        }
      }
    } finally {
      // What stood before a fault counts.
      forwardRun();
    }
    for (const name of gone) this.#delivery.sayGone(from, { address: routerAddress, name });
    return true;
  }

  #control(from: Link, frame: Exclude<RouterFrame, { kind: "bye" }>, position?: number): void {
    switch (frame.kind) {
      case "open":
        this.#open(from, frame);
        break;
      case "resume":
        this.#resume(from, frame);
        break;
      case "reached":
        this.#delivery.reached(from, frame.token);
        break;
      case "list":
        this.#list(from, frame);
        break;
      case "check":
        this.#access.check(from, frame, this.#takeOpen(from));
        break;
      default:
        throw new ProtocolError(`Frame "${frame.kind}" is the router's to send: it ends`, position);
    }
  }

  #open(from: Link, open: RouterFrameOf<"open">): void {
    const { connection, session: wanted, peer, protocol, limit, metadata, early } = open;
    const refuse = (code: number, reason: string): void =>
      this.#delivery.say(from, { kind: "refused", connection, code, reason });

    if (!this.#takeOpen(from)) {
      return refuse(errorCodes.busy, `More than ${limits.maxOpensPerSecond} opens and resumes a second: wait`);
    }
    if (connection === 0 || connection > limits.maxConnectionId) {
      return refuse(errorCodes.badOpen, `Connection id ${connection} is not between 1 and ${limits.maxConnectionId}`);
    }
    const nameRule = peerProblem(peer);
    if (nameRule !== undefined) return refuse(errorCodes.badOpen, `The peer's name ${nameRule}`);
    const protocolRule = protocolProblem(protocol);
    if (protocolRule !== undefined) return refuse(errorCodes.badOpen, `The protocol's name ${protocolRule}`);

    if (early.length > limits.maxEarlyBytes) {
      return refuse(
        errorCodes.badOpen,
        `The open carries ${early.length} bytes of frames, at most ${limits.maxEarlyBytes} allowed`,
      );
    }

    const builtInPeer = builtInPeerNamed(peer);
    if (builtInPeer !== undefined) {
      const { address, session } = builtInPeer;
      this.#delivery.say(from, { kind: "routed", connection, address, session });
      this.#forwarding.answers(from, builtInPeer, builtInPeer.open({ connection, protocol, limit }));
      return;
    }
    // Before anything is said of who is there.
    const denial = this.#access.denialOf(from, { name: peer }, protocol);
    if (denial !== undefined) return refuse(errorCodes.notAllowed, denial);
    const absent = `Nobody of that name is connected to realm "${this.#realm}"`;
    const to = this.#holderOf(peer);
    if (to === undefined) return refuse(errorCodes.peerAbsent, absent);
    if (wanted !== anySession && to.session !== wanted) {
      return refuse(errorCodes.peerReplaced, "The session that got this open first is over: another one has the name");
    }
    if (to.grant !== undefined) return refuse(errorCodes.notAllowed, "A guest takes no Connections");
    // Which of the two ends it comes from, a Connection's name can't say.
    if (to === from && from.format.addressing === "name") {
      return refuse(errorCodes.badOpen, "In a format that names its peers no client can open to itself");
    }
    if (early.length > 0 && !this.#delivery.unread.admitsEarly(to.memory.meter, early.length)) {
      return refuse(errorCodes.busy, "The peer reads too slowly to get data with an open: wait, or open without");
    }
    const { address, name, session } = from;
    const incoming = routerMessages(to, [
      {
        kind: "incoming",
        connection,
        address,
        session,
        peer: name,
        protocol,
        limit,
        metadata,
        early: earlyFor(to.format, early, from.format),
      },
    ]);
    const bytes = incoming.reduce((sum, message) => sum + byteLength(message), 0);
    // Small frames may take several times as much in another format, and a client that is sent more than a batch closes.
    if (bytes > limits.maxBatchBytes)
      return refuse(
        errorCodes.badOpen,
        `The open takes ${bytes} bytes in the peer's format, at most ${limits.maxBatchBytes} allowed`,
      );
    // Before the two are paired, so that nobody hears of the end of a link that it wasn't told of.
    if (!this.#delivery.admits(to, bytes)) return refuse(errorCodes.peerAbsent, absent);
    if (!this.#pair(from, to)) return refuse(errorCodes.busy, "Both clients have too many peers already");
    for (const message of incoming) this.#delivery.send(to, message);
    this.#delivery.say(from, { kind: "routed", connection, address: to.address, session: to.session });
  }

  #resume(from: Link, { session, peer }: RouterFrameOf<"resume">): void {
    const answer = (reason: number): void => this.#delivery.say(from, { kind: "absent", session, reason, peer });
    if (!this.#takeOpen(from) || peerProblem(peer) !== undefined) return answer(goneReasons.lost);
    const builtInPeer = builtInPeerNamed(peer);
    if (builtInPeer !== undefined) {
      if (builtInPeer.session !== session || !builtInPeer.resumes) return answer(goneReasons.over);
      return this.#delivery.say(from, pairedWith(builtInPeer));
    }
    const to = this.#holderOf(peer);
    if (to === undefined) return answer(goneReasons.lost);
    if (to.session !== session) return answer(goneReasons.superseded);
    if (!this.#access.isAnythingAllowed(from, to)) return answer(goneReasons.cut);
    // Its link is the one of before, but the pair was cut, and with it all that the client had.
    if (to.format.addressing === "name") return answer(goneReasons.over);
    const wasPaired = arePaired(from, to);
    const paired = routerMessages(to, [pairedWith(from)]);
    if (!paired.every((message) => this.#delivery.admits(to, message.length)) || !this.#pair(from, to)) {
      return answer(goneReasons.lost);
    }
    for (const message of paired) this.#delivery.send(to, message);
    this.#delivery.say(from, pairedWith(to));
    // Or one of the two could have the other ask for its protocols as often as it likes.
    if (!wasPaired) this.#access.resumed(from, to);
  }

  #takeOpen(from: Link): boolean {
    return from.memory.opens.take(this.#runtime.now());
  }

  /** Who has a name. A link that was silent for too long is most likely one whose end nobody has noticed: it goes. */
  #holderOf(name: string): Link | undefined {
    const link = this.#links.byName(name);
    if (link === undefined || (link.format.addressing === "name" && !link.format.hasHeartbeat)) return link;
    const lastHeardMs = Math.max(link.lastHeardMs, link.memory.heardAtMs);
    if (this.#runtime.now() - lastHeardMs <= limits.ghostAfterMs) return link;
    this.drop(link, goneReasons.lost, closings.silent);
    return undefined;
  }

  #pair(from: Link, to: Link): boolean {
    const isListed = from.pairs.add(to.address);
    const isListedThere = to.pairs.add(from.address);
    if (!isListed && !isListedThere) return false;
    if (!isListed) from.pairs.overflow();
    if (!isListedThere) to.pairs.overflow();
    return true;
  }

  #list(from: Link, { request, cursor }: RouterFrameOf<"list">): void {
    const names: string[] = [];
    // A guest sees whom it may open something to.
    const seen = from.grant && patternOf(from.grant.peer);
    for (const { name } of this.#links.all()) if (name > cursor && seen?.fits(name) !== false) names.push(name);
    names.sort(byCodeUnit);
    const page = names.slice(0, limits.maxPageLength);
    const last = names.length > page.length ? page.at(-1) : undefined;
    this.#delivery.say(from, { kind: "peers", request, cursor: last ?? "", names: page });
  }

  /** Ends a link: its client is told why, and its peers that it is gone. Does nothing to one that has ended. */
  drop(link: Link, reason: number, { code, reason: text, delayMs }: Closing): void {
    if (link.memory.isOver) return;
    link.memory.isOver = true;
    this.#delivery.unread.close(link.memory.meter);
    this.#delivery.empty(link);
    // First, since a socket without a link that is open is taken for one of another version.
    link.close(code, text, delayMs);
    this.#links.remove(link);
    this.#tellPeers(link, reason);
  }

  /** A link's socket is gone, whoever ended it: what was held for it is free, and its peers are told unless they were. */
  leave(link: Link, reason: number): void {
    this.#delivery.unread.end(link.memory.meter);
    if (link.memory.isOver) return;
    link.memory.isOver = true;
    this.#links.remove(link);
    this.#tellPeers(link, reason);
  }

  /** Tells those who talked with a link that it is gone, and nobody else. */
  #tellPeers(gone: Link, why: number): void {
    // Who can't come back isn't lost but over.
    const reason = why === goneReasons.lost && !gone.resumes ? goneReasons.over : why;
    this.#leaving.push({ link: gone, reason });
    // Telling may be too much for others, which then leave as well: one after the other, however many there are.
    if (this.#isTelling) return;
    this.#isTelling = true;
    try {
      for (let next = this.#leaving.shift(); next !== undefined; next = this.#leaving.shift())
        this.#tell(next.link, next.reason);
    } finally {
      this.#isTelling = false;
    }
  }

  #tell(link: Link, reason: number): void {
    const others = link.pairs.overflowed ? this.#links.all() : linksAt(this.#links, link.pairs);
    for (const other of others) {
      if (other === link || !arePaired(link, other)) continue;
      other.pairs.remove(link.address);
      this.#delivery.sayGone(other, link, reason);
    }
  }

  /** A link reads too slowly, and can't be sent what it should be. */
  #giveUp(link: Link, bytes: number): void {
    this.drop(link, goneReasons.lost, closings.tooSlow);
    if (this.#delivery.unread.isExhausted(link.memory.meter, bytes)) {
      this.#runtime.abort("Clients that don't read hold all the memory there is for them");
    }
  }
}

/** What a resume tells the one about the other. */
function pairedWith({ address, session, name }: Sender & { readonly session: string }): RouterFrame {
  return { kind: "paired", address, session, peer: name };
}

function byCodeUnit(left: string, right: string): number {
  return left < right ? -1 : 1;
}
