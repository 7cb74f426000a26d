import {
  goneReasons,
  limits,
  type PeerFrame,
  ProtocolError,
  routerAddress,
  type RouterFrame,
  type RouterFrameOf,
  routerLimits,
  SegmentReader,
} from "@messagepasser/protocol";
import { byteLength, type NamedFormat, type SegmentFormat, type WireMessage } from "@messagepasser/protocol/formats";
import { Access, type Party } from "./access.ts";
import { type Closing, closings } from "./closings.ts";
import { Delivery } from "./delivery.ts";
import { Departures } from "./departures.ts";
import { Forwarding } from "./forwarding.ts";
import type { CrossingItem, Question } from "./crossing-item.ts";
import { GatheredLists, pageOf } from "./gathered-lists.ts";
import { Inbound } from "./inbound.ts";
import type { Link, Links, Sender } from "./link.ts";
import { Opens } from "./opens.ts";
import type { OtherShards } from "./other-shards.ts";
import { Outbound } from "./outbound.ts";
import { Presence } from "./presence.ts";
import { RemotePresence } from "./remote-presence.ts";
import type { Rules } from "./rules.ts";
import { servicesAfter } from "./services.ts";

/** What routing needs of the platform. */
export interface Runtime {
  /** Milliseconds since 1970. */
  now(): number;
  /** A random number that no client can guess. */
  randomU32(): number;
  /** The realm's rules. */
  rules(): Rules;
  /** Calls back once, later. Until then the object is awake. */
  after(delayMs: number, callback: () => void): void;
  /** Ends the object with all its links, which is the only way to free its memory. May return or throw. */
  abort(reason: string): void;
}

/**
 * The router of one realm: decides where frames go and which link ends. State that must outlive a hibernation is in the
 * links, so an object may lose its `Routing` between any two calls.
 * Of frames between two clients it reads only the address: the rest is for the two ends.
 */
export class Routing {
  readonly #links: Links;
  readonly #realm: string;
  readonly #runtime: Runtime;
  readonly #delivery: Delivery;
  readonly #forwarding: Forwarding;
  readonly #access: Access;
  readonly #presence: Presence;
  readonly #departures: Departures;
  readonly #opens: Opens;
  /** What goes to other shards, and what comes from them. */
  readonly #outbound: Outbound;
  readonly #inbound: Inbound;
  readonly #lists: GatheredLists;
  /** Whether the message that is being routed has held a `list`. */
  #hasListed = false;
  /** Whether it has held a `measure`. */
  #hasMeasured = false;
  /** How many links the last list went through: what the next one costs. */
  #listedLinks = 0;

  constructor(links: Links, realm: string, runtime: Runtime, others: OtherShards) {
    this.#links = links;
    this.#realm = realm;
    this.#runtime = runtime;
    this.#delivery = new Delivery(runtime);
    const outbound = new Outbound(links, this.#delivery, others);
    this.#outbound = outbound;
    this.#forwarding = new Forwarding(links, this.#delivery, outbound);
    this.#access = new Access(links, this.#delivery, () => runtime.rules());
    this.#presence = new Presence({
      links,
      access: this.#access,
      delivery: this.#delivery,
      remote: new RemotePresence(outbound),
      now: () => runtime.now(),
      after: (delayMs, callback) => {
        runtime.after(delayMs, () => {
          callback();
          this.#departures.dropGivenUp();
          outbound.flush();
        });
      },
    });
    const [delivery, presence] = [this.#delivery, this.#presence];
    this.#departures = new Departures({ links, delivery, presence, outbound, runtime });
    this.#opens = new Opens(
      { name: realm, links, access: this.#access, delivery: this.#delivery, outbound },
      this.#departures,
      () => runtime.randomU32() / 2 ** 32,
    );
    this.#lists = new GatheredLists(links, this.#delivery, outbound);
    this.#inbound = new Inbound({
      links,
      access: this.#access,
      delivery: this.#delivery,
      forwarding: this.#forwarding,
      opens: this.#opens,
      outbound,
      lists: this.#lists,
      presence: this.#presence,
      now: () => runtime.now(),
      namesFor: (from, frame) => this.#namesFor(from, frame),
    });
  }

  /** Bytes that the router holds because clients have not read them: of all links, and of those that are closing. */
  get unread(): { readonly heldBytes: number; readonly closingBytes: number } {
    return this.#delivery.unread;
  }

  /** Whether a principal may open one more link now; counts it. */
  mayJoin(joining: Party): boolean {
    const account = this.#delivery.principals.of(joining);
    const nowMs = this.#runtime.now();
    // A holder that connects too often uses up only its own rate, and not that of its key's other holders.
    return (
      this.#delivery.unread.mayBegin(account) && account.joins.take(nowMs) && account.group?.joins.take(nowMs) !== false
    );
  }

  /** Adds a new link, which takes over from any link of its session or its instance, and welcomes its client. */
  join(link: Link): void {
    for (const holder of this.#links.named(link.name)) {
      // A link of the same session is a client that reconnects. Another session takes the instance over for good.
      if (holder.session === link.session) {
        link.sinceMs = holder.sinceMs;
        this.#departures.drop(holder, goneReasons.lost, closings.replaced);
      } else if (link.instance !== "" && holder.instance === link.instance)
        this.#departures.drop(holder, goneReasons.superseded, closings.superseded);
    }
    this.#links.add(link);
    const { session, name, format } = link;
    if (format.addressing === "name") for (const message of format.preamble) this.#delivery.send(link, message);
    const budget = this.#delivery.unread.tellBudget(this.#delivery.meterOf(link), true);
    this.#delivery.say(link, { kind: "welcome", session, name, realm: this.#realm, budget });
    this.#departures.joined(link);
    this.#presence.joined(link);
    this.#settle();
  }

  /** Applies new rules to what is open already. @param before the rules until now */
  changeRules(before: Rules): void {
    this.#access.changeRules(before);
    this.#presence.rulesChanged(before);
    if (this.#outbound.shardCount > 1)
      for (const link of this.#links.all())
        this.#outbound.changeRules(link, (remote) => this.#access.changeFor(link, remote, before));
    this.#settle();
  }

  /** Carries out what another shard tells. Never throws. */
  take(item: CrossingItem, shard: number): void {
    this.#inbound.take(item, shard);
  }

  /** All pairs with the links of another shard end, and questions to it get no answer. @param questions by whether they may have arrived */
  broken(shard: number, questions: { readonly sent: readonly Question[]; readonly unsent: readonly Question[] }): void {
    this.#outbound.broken(shard);
    this.#inbound.lost(questions.sent, true);
    this.#inbound.lost(questions.unsent, false);
    this.#presence.shardLost(shard);
  }

  /** The realm has more shards than before. */
  grown(): void {
    this.#presence.grown();
  }

  /** Finds out whether the links of other shards are still there that links of this one are paired with. */
  checkShards(): void {
    this.#outbound.check();
    this.#settle();
  }

  /** Whether links of this shard are paired with links of others. Slow. */
  get isPairedElsewhere(): boolean {
    return this.#outbound.pairedShards().size > 0;
  }

  /** Begins to carry out what another shard tells. `endCall` must follow. */
  beginCall(): void {
    this.#delivery.gather();
  }

  endCall(): void {
    this.#settle();
    this.#delivery.handOver();
  }

  /** Closes links that were given up, and tells watchers what the event has changed. */
  #settle(): void {
    this.#departures.dropGivenUp();
    if (this.#presence.flush()) this.#departures.dropGivenUp();
    this.#outbound.flush();
  }

  /**
   * Routes one WebSocket message. Writes sender addresses into its bytes.
   *
   * @returns false when the client said bye.
   * @throws ProtocolError for a message that breaks a rule; everything before the fault has been routed.
   */
  receive(from: Link, message: WireMessage): boolean {
    const { memory, format } = from;
    // A message that was under way when the router closed the link.
    if (memory.isOver) return true;
    memory.heardAtMs = this.#runtime.now();
    this.#hasListed = this.#hasMeasured = false;
    this.#delivery.gather();
    try {
      if (format.addressing === "name") return this.#receiveNamed(from, format, message);
      if (typeof message === "string") throw new ProtocolError("Text message on a binary format", 0);
      return this.#receiveBatch(from, format, message);
    } finally {
      this.#settle();
      this.#delivery.handOver();
    }
  }

  #receiveBatch(from: Link, format: SegmentFormat, batch: Uint8Array): boolean {
    const { memory } = from;
    const segments = new SegmentReader(batch);
    /** Addresses in this batch that lead nowhere. */
    let gone: Set<number> | undefined;
    for (let count = 1; segments.next(); count++) {
      if (count > limits.maxSegments) {
        throw new ProtocolError(`More than ${limits.maxSegments} segments`, segments.headerStart);
      }
      if (segments.address === routerAddress) {
        const frames = format.routerFrames(batch, segments.start, segments.end);
        for (let frame = frames.next(); frame !== undefined; frame = frames.next()) {
          if (!this.#control(from, frame, frames.position)) return false;
          if (memory.isOver) return true;
        }
      } else if (!this.#forwarding.segment(from, format, segments)) (gone ??= new Set()).add(segments.address);
      // The link may have been given up, for what it sent to itself or for an answer.
      if (memory.isOver) return true;
    }
    // One answer for addresses that are unpaired, gone or never issued, so that no client can probe for addresses.
    if (gone !== undefined) {
      const answers = Array.from(gone, (address) => ({ kind: "gone", address, reason: goneReasons.lost }) as const);
      this.#delivery.say(from, ...answers);
    }
    return true;
  }

  /** Routes a message of a by-name format. */
  #receiveNamed(from: Link, format: NamedFormat, message: WireMessage): boolean {
    const bytes = byteLength(message);
    if (bytes > format.maxMessageBytes)
      throw new ProtocolError(`Message of ${bytes} bytes, where at most ${format.maxMessageBytes} are allowed`);
    const gone = new Set<string>();
    /** Consecutive frames for one peer: they leave as one message. */
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
        else if (!this.#control(from, said.frame)) return false;
      }
    } finally {
      // What came before a fault takes effect too.
      forwardRun();
    }
    for (const name of gone) this.#delivery.sayGone(from, { address: routerAddress, name });
    return true;
  }

  /** Handles a frame for the router itself; false for a bye. @throws ProtocolError */
  #control(from: Link, frame: RouterFrame, position?: number): boolean {
    const nowMs = from.memory.heardAtMs;
    switch (frame.kind) {
      case "bye":
        return false;
      case "open":
        this.#opens.open(from, frame, nowMs);
        break;
      case "resume":
        this.#opens.resume(from, frame, nowMs);
        break;
      case "reached":
        this.#delivery.reached(from, frame.token);
        this.#presence.reached(from);
        break;
      case "list":
        // Each answer may be as large as a batch.
        if (this.#hasListed) throw new ProtocolError("A second list in one message: it ends", position);
        this.#hasListed = true;
        this.#list(from, frame);
        break;
      case "measure":
        if (this.#hasMeasured) throw new ProtocolError("A second measure in one message: it ends", position);
        this.#hasMeasured = true;
        this.#delivery.sayArrival(from);
        break;
      case "serve":
        this.#serve(from, frame);
        break;
      case "watch":
        this.#watch(from, frame, position);
        break;
      case "unwatch":
        this.#presence.unwatch(from, frame.request);
        break;
      case "check":
        this.#check(from, frame, nowMs);
        break;
      default:
        throw new ProtocolError(`Frame "${frame.kind}" is the router's to send: it ends`, position);
    }
    return true;
  }

  #check(from: Link, frame: RouterFrameOf<"check">, nowMs: number): void {
    const isWithinRate = this.#delivery.meterOf(from).account.opens.take(nowMs);
    const { address } = frame;
    const to = this.#links.byAddress(address) ?? this.#outbound.peerOf(from, address);
    this.#access.check(from, frame, { to, isWithinRate });
  }

  /** Whether a client may ask for all links now; counts it. Past its rate its link ends, since it would wait in vain for an answer. */
  #mayList(from: Link): boolean {
    const { opens } = this.#delivery.meterOf(from).account;
    const shards = this.#outbound.shardCount;
    const isWithinRate = opens.take(
      from.memory.heardAtMs,
      shards * (1 + this.#listedLinks / routerLimits.linksPerToken),
    );
    // On its next link the client asks again.
    if (!isWithinRate) this.#departures.drop(from, goneReasons.lost, closings.tooManyRequests);
    return isWithinRate;
  }

  #watch(from: Link, { request, pattern }: RouterFrameOf<"watch">, position?: number): void {
    if (!this.#mayList(from)) return;
    const count = this.#presence.watch(from, { request, pattern }, position);
    if (count === undefined) this.#departures.drop(from, goneReasons.lost, closings.tooManyWatches);
    else this.#listedLinks = count;
  }

  #serve(from: Link, frame: RouterFrameOf<"serve">): void {
    // On its next link the client says all that it serves.
    if (!this.#delivery.meterOf(from).account.opens.take(from.memory.heardAtMs)) {
      this.#departures.drop(from, goneReasons.lost, closings.tooManyRequests);
      return;
    }
    from.services = servicesAfter(from.services, frame);
    this.#presence.changed(from);
  }

  #list(from: Link, frame: RouterFrameOf<"list">): void {
    if (!this.#mayList(from)) return;
    const own = this.#namesFor(from, frame);
    if (!this.#lists.begin(from, frame, own)) this.#departures.drop(from, goneReasons.lost, closings.unanswered);
  }

  #namesFor(from: Sender, { request, cursor }: RouterFrameOf<"list">): RouterFrameOf<"peers"> {
    const found = new Set<string>();
    this.#listedLinks = 0;
    for (const link of this.#links.all()) {
      this.#listedLinks++;
      if (link.name > cursor && this.#access.sightOf(from, link) !== "nothing") found.add(link.name);
    }
    return pageOf(request, found);
  }

  /** Ends a link: tells its client why, and its peers that it is gone. Does nothing to a link that is over. */
  drop(link: Link, reason: number, closing: Closing): void {
    this.#departures.drop(link, reason, closing);
    this.#settle();
  }

  /** Either side has closed a link's socket. Tells the link's peers, unless they know. */
  leave(link: Link, reason: number): void {
    this.#departures.leave(link, reason);
    this.#settle();
  }
}
