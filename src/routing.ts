import {
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
  RouterFrameReader,
  SegmentReader,
} from "@messagepasser/protocol";

/** What routing needs of a client's link. The object backs it with a WebSocket and its attachment. */
export interface Link {
  /** Unique in the life of the object; never 0. */
  readonly address: number;
  readonly name: string;
  readonly session: string;
  /** Addresses of links that this one may exchange segments with. */
  readonly pairs: Pairs;
  send(batch: Uint8Array): void;
}

/** A link's list of pairs, which is kept where it survives hibernation, and so has a bound. */
export interface Pairs extends Iterable<number> {
  /** Whether an address found no room here, so that only the other link lists the pair. */
  readonly overflowed: boolean;
  has(address: number): boolean;
  /** False when there is no room. */
  add(address: number): boolean;
  remove(address: number): void;
  /** Notes that another link lists a pair that found no room here. */
  overflow(): void;
}

/** The links of a realm. */
export interface Links {
  byAddress(address: number): Link | undefined;
  byName(name: string): Link | undefined;
  /** All of them: slow, for what is rare. */
  all(): Iterable<Link>;
}

/**
 * Decides where frames go. Holds no state: what it knows is in the links, so it can vanish between any two calls.
 * Between two clients it looks at addresses only; the frames inside a segment are the business of the two ends.
 */
export class Routing {
  readonly #links: Links;
  readonly #realm: string;

  constructor(links: Links, realm: string) {
    this.#links = links;
    this.#realm = realm;
  }

  /** Tells a new link's client who it is here. */
  welcome(link: Link): void {
    send(link, { kind: "welcome", session: link.session, name: link.name, realm: this.#realm });
  }

  /**
   * Routes what one WebSocket message carried. Writes sender addresses into `batch`.
   *
   * @returns false when the client said bye.
   * @throws ProtocolError for a batch that breaks a rule; what stood before it in the batch has been routed.
   */
  receive(from: Link, batch: Uint8Array): boolean {
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
      }
    }
    // Unpaired, gone and never issued get one answer, so that nobody can probe for addresses.
    const answers = Array.from(gone, (address) => ({ kind: "gone", address, reason: goneReasons.lost }) as const);
    if (answers.length > 0) send(from, ...answers);
    return true;
  }

  /** False where the segment's address leads nowhere. */
  #forward(from: Link, segments: SegmentReader): boolean {
    const to = this.#links.byAddress(segments.address);
    if (to === undefined || !(from.pairs.has(to.address) || to.pairs.has(from.address))) return false;
    if (segments.start === segments.end) return true;
    segments.readdress(from.address);
    to.send(segments.bytes.subarray(segments.headerStart, segments.end));
    return true;
  }

  #control(from: Link, frame: Exclude<RouterFrame, { kind: "bye" }>, position: number): void {
    switch (frame.kind) {
      case "open":
        this.#open(from, frame);
        break;
      case "list":
        this.#list(from, frame);
        break;
      default:
        throw new ProtocolError(`Frame "${frame.kind}" is the router's to send: it ends`, position);
    }
  }

  #open(from: Link, open: Extract<RouterFrame, { kind: "open" }>): void {
    const { connection, peer, protocol, limit, metadata, early } = open;
    const refuse = (code: number, reason: string): void => send(from, { kind: "refused", connection, code, reason });

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

    const to = this.#links.byName(peer);
    if (to === undefined)
      return refuse(errorCodes.peerAbsent, `Nobody of that name is connected to realm "${this.#realm}"`);
    if (!this.#pair(from, to)) return refuse(errorCodes.busy, "Both clients have too many peers already");

    const { address, name, session } = from;
    send(to, { kind: "incoming", connection, address, session, peer: name, protocol, limit, metadata, early });
    send(from, { kind: "routed", connection, address: to.address, session: to.session });
  }

  #pair(from: Link, to: Link): boolean {
    const isListed = from.pairs.add(to.address);
    const isListedThere = to.pairs.add(from.address);
    if (!isListed && !isListedThere) return false;
    if (!isListed) from.pairs.overflow();
    if (!isListedThere) to.pairs.overflow();
    return true;
  }

  #list(from: Link, { request, cursor }: Extract<RouterFrame, { kind: "list" }>): void {
    const names: string[] = [];
    for (const { name } of this.#links.all()) if (name > cursor) names.push(name);
    names.sort(byCodeUnit);
    const page = names.slice(0, limits.maxPageLength);
    const last = names.length > page.length ? page.at(-1) : undefined;
    send(from, { kind: "peers", request, cursor: last ?? "", names: page });
  }

  /** A link is no more: tells those who talked with it, and nobody else. */
  leave(link: Link, reason: number): void {
    const others = link.pairs.overflowed ? this.#links.all() : linksAt(this.#links, link.pairs);
    for (const other of others) {
      if (other === link || !(link.pairs.has(other.address) || other.pairs.has(link.address))) continue;
      other.pairs.remove(link.address);
      send(other, { kind: "gone", address: link.address, reason });
    }
  }
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

function send(to: Link, ...frames: readonly ControlFrame[]): void {
  to.send(encodeBatch(routerAddress, ...frames));
}
