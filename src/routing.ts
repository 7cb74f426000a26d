import {
  anySession,
  type ControlFrame,
  encodeBatch,
  errorCodes,
  goneReasons,
  limits,
  nameProblem,
  ProtocolError,
  protocolProblem,
  routerAddress,
  type RouterFrame,
  type RouterFrameOf,
  RouterFrameReader,
  SegmentReader,
} from "@messagepasser/protocol";
import { type Closing, closings } from "./closings.ts";
import type { Link, Links } from "./link.ts";
import { Outstanding } from "./outstanding.ts";

/** What routing needs of the world around it. */
export interface Surroundings {
  /** Milliseconds since 1970. */
  now(): number;
  /** A random number that nobody can guess. */
  randomU32(): number;
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
  readonly #surroundings: Surroundings;
  readonly #outstanding: Outstanding;
  /** Links that were dropped and whose peers don't know yet. */
  readonly #leaving: { readonly link: Link; readonly reason: number }[] = [];
  #isTelling = false;

  constructor(links: Links, realm: string, surroundings: Surroundings) {
    this.#links = links;
    this.#realm = realm;
    this.#surroundings = surroundings;
    this.#outstanding = new Outstanding(() => surroundings.randomU32());
  }

  /** Bytes that may be unread, of links and of those among them that are closing. */
  get outstanding(): { readonly heldBytes: number; readonly closingBytes: number } {
    return this.#outstanding;
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
    const { session, name, tally } = link;
    const budget = this.#outstanding.budgetOf(tally.meter);
    this.#send(link, { kind: "welcome", session, name, realm: this.#realm, budget });
  }

  /**
   * Routes what one WebSocket message carried. Writes sender addresses into `batch`.
   *
   * @returns false when the client said bye.
   * @throws ProtocolError for a batch that breaks a rule; what stood before it in the batch has been routed.
   */
  receive(from: Link, batch: Uint8Array): boolean {
    const { tally } = from;
    // What was on the way when the link was closed still comes.
    if (tally.isOver) return true;
    tally.heardAtMs = this.#surroundings.now();
    const segments = new SegmentReader(batch);
    /** Addresses in this batch that lead nowhere. */
    const gone = new Set<number>();
    let hasListed = false;
    for (let count = 1; segments.next(); count++) {
      if (count > limits.maxSegments) {
        throw new ProtocolError(`More than ${limits.maxSegments} segments`, segments.headerStart);
      }
      if (segments.address !== routerAddress) {
        if (!this.#forward(from, segments)) gone.add(segments.address);
        // It may be too slow for what it sends to itself, or for what it is answered.
        if (tally.isOver) return true;
        continue;
      }
      const frames = new RouterFrameReader(batch, segments.start, segments.end);
      for (let frame = frames.next(); frame !== undefined; frame = frames.next()) {
        if (frame.kind === "bye") return false;
        // Each answer may be as large as a batch.
        if (frame.kind === "list" && hasListed) {
          throw new ProtocolError("A second list in one batch: it ends", frames.position);
        }
        hasListed ||= frame.kind === "list";
        this.#control(from, frame, frames.position);
        if (tally.isOver) return true;
      }
    }
    // Unpaired, gone and never issued get one answer, so that nobody can probe for addresses.
    const answers = Array.from(gone, (address) => ({ kind: "gone", address, reason: goneReasons.lost }) as const);
    if (answers.length > 0) this.#send(from, ...answers);
    return true;
  }

  /** False where the segment's address leads nowhere. */
  #forward(from: Link, segments: SegmentReader): boolean {
    const to = this.#links.byAddress(segments.address);
    if (to === undefined || !(from.pairs.has(to.address) || to.pairs.has(from.address))) return false;
    if (segments.start === segments.end) return true;
    segments.readdress(from.address);
    // Where it can't be delivered, the sender has been told: the two were paired.
    this.#deliver(to, segments.bytes.subarray(segments.headerStart, segments.end));
    return true;
  }

  #control(from: Link, frame: Exclude<RouterFrame, { kind: "bye" }>, position: number): void {
    switch (frame.kind) {
      case "open":
        this.#open(from, frame);
        break;
      case "resume":
        this.#resume(from, frame);
        break;
      case "reached":
        this.#mark(from, this.#outstanding.reached(from.tally.meter, frame.token));
        break;
      case "list":
        this.#list(from, frame);
        break;
      default:
        throw new ProtocolError(`Frame "${frame.kind}" is the router's to send: it ends`, position);
    }
  }

  #open(from: Link, open: RouterFrameOf<"open">): void {
    const { connection, session: wanted, peer, protocol, limit, metadata, early } = open;
    const refuse = (code: number, reason: string): void =>
      this.#send(from, { kind: "refused", connection, code, reason });

    if (!this.#takeOpen(from)) {
      return refuse(errorCodes.busy, `More than ${limits.maxOpensPerSecond} opens and resumes a second: wait`);
    }
    if (connection === 0 || connection > limits.maxConnectionId) {
      return refuse(errorCodes.badOpen, `Connection id ${connection} is not between 1 and ${limits.maxConnectionId}`);
    }
    const nameRule = nameProblem(peer);
    if (nameRule !== undefined) return refuse(errorCodes.badOpen, `The peer's name ${nameRule}`);
    const protocolRule = protocolProblem(protocol);
    if (protocolRule !== undefined) return refuse(errorCodes.badOpen, `The protocol's name ${protocolRule}`);

    if (early.length > limits.maxEarlyBytes) {
      return refuse(
        errorCodes.badOpen,
        `The open carries ${early.length} bytes of frames, at most ${limits.maxEarlyBytes} allowed`,
      );
    }

    const absent = `Nobody of that name is connected to realm "${this.#realm}"`;
    const to = this.#holderOf(peer);
    if (to === undefined) return refuse(errorCodes.peerAbsent, absent);
    if (wanted !== anySession && to.session !== wanted) {
      return refuse(errorCodes.peerReplaced, "The session that got this open first is over: another one has the name");
    }
    if (early.length > 0 && !this.#outstanding.admitsEarly(to.tally.meter, early.length)) {
      return refuse(errorCodes.busy, "The peer reads too slowly to get data with an open: wait, or open without");
    }
    const { address, name, session } = from;
    const incoming = {
      kind: "incoming",
      connection,
      address,
      session,
      peer: name,
      protocol,
      limit,
      metadata,
      early,
    } as const;
    const batch = encodeBatch(routerAddress, incoming);
    // Before the two are paired, so that nobody hears of the end of a link that it wasn't told of.
    if (!this.#admit(to, batch.length)) return refuse(errorCodes.peerAbsent, absent);
    if (!this.#pair(from, to)) return refuse(errorCodes.busy, "Both clients have too many peers already");
    this.#deliver(to, batch);
    this.#send(from, { kind: "routed", connection, address: to.address, session: to.session });
  }

  #resume(from: Link, { session, peer }: RouterFrameOf<"resume">): void {
    const answer = (reason: number): void => this.#send(from, { kind: "absent", session, reason, peer });
    if (!this.#takeOpen(from) || nameProblem(peer) !== undefined) return answer(goneReasons.lost);
    const to = this.#holderOf(peer);
    if (to === undefined) return answer(goneReasons.lost);
    if (to.session !== session) return answer(goneReasons.superseded);
    const batch = encodeBatch(routerAddress, pairedWith(from));
    if (!this.#admit(to, batch.length) || !this.#pair(from, to)) return answer(goneReasons.lost);
    this.#deliver(to, batch);
    this.#send(from, pairedWith(to));
  }

  #takeOpen(from: Link): boolean {
    return from.tally.opens.take(this.#surroundings.now());
  }

  /** Who has a name. A link that was silent for too long is most likely one whose end nobody has noticed: it goes. */
  #holderOf(name: string): Link | undefined {
    const link = this.#links.byName(name);
    if (link === undefined) return undefined;
    const lastHeardMs = Math.max(link.lastHeardMs, link.tally.heardAtMs);
    if (this.#surroundings.now() - lastHeardMs <= limits.ghostAfterMs) return link;
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
    for (const { name } of this.#links.all()) if (name > cursor) names.push(name);
    names.sort(byCodeUnit);
    const page = names.slice(0, limits.maxPageLength);
    const last = names.length > page.length ? page.at(-1) : undefined;
    this.#send(from, { kind: "peers", request, cursor: last ?? "", names: page });
  }

  /** Ends a link: its client is told why, and its peers that it is gone. Does nothing to one that has ended. */
  drop(link: Link, reason: number, { code, reason: text, delayMs }: Closing): void {
    if (link.tally.isOver) return;
    link.tally.isOver = true;
    this.#outstanding.close(link.tally.meter);
    // First, since a socket without a link that is open is taken for one of another version.
    link.close(code, text, delayMs);
    this.#links.remove(link);
    this.#tellPeers(link, reason);
  }

  /** A link's socket is gone, whoever ended it: what was held for it is free, and its peers are told unless they were. */
  leave(link: Link, reason: number): void {
    this.#outstanding.end(link.tally.meter);
    if (link.tally.isOver) return;
    link.tally.isOver = true;
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
      if (other === link || !(link.pairs.has(other.address) || other.pairs.has(link.address))) continue;
      other.pairs.remove(link.address);
      this.#send(other, { kind: "gone", address: link.address, reason });
    }
  }

  #send(to: Link, ...frames: readonly ControlFrame[]): void {
    this.#deliver(to, encodeBatch(routerAddress, ...frames));
  }

  /** Sends bytes to a link, unless it has ended or ends by them. */
  #deliver(to: Link, batch: Uint8Array): void {
    if (!this.#admit(to, batch.length)) return;
    to.send(batch);
    this.#mark(to, this.#outstanding.count(to.tally.meter, batch.length));
  }

  #mark(to: Link, token: number): void {
    if (token === 0) return;
    const budget = this.#outstanding.budgetOf(to.tally.meter);
    to.send(encodeBatch(routerAddress, { kind: "mark", token, budget }));
  }

  /** Whether a link may be sent so many bytes. One that reads too slowly is dropped: what it was sent would fill the memory. */
  #admit(to: Link, bytes: number): boolean {
    if (to.tally.isOver) return false;
    if (this.#outstanding.admits(to.tally.meter, bytes)) return true;
    this.drop(to, goneReasons.lost, closings.tooSlow);
    if (this.#outstanding.isExhausted(to.tally.meter, bytes)) {
      this.#surroundings.abort("Clients that don't read hold all the memory there is for them");
    }
    return false;
  }
}

/** What a resume tells the one about the other. */
function pairedWith({ address, session, name }: Link): ControlFrame {
  return { kind: "paired", address, session, peer: name };
}

function* linksAt(links: Links, addresses: Iterable<number>): Iterable<Link> {
  for (const address of addresses) {
    const link = links.byAddress(address);
    if (link !== undefined) yield link;
  }
}

function byCodeUnit(left: string, right: string): number {
  return left < right ? -1 : 1;
}
