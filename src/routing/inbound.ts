import { errorCodes, goneReasons, ProtocolError, type RouterFrame, u32At } from "@messagepasser/protocol";
import type { Access } from "./access.ts";
import { closings, malformed } from "./closings.ts";
import type { CrossingItem, PairedStranger, Question, Stranger } from "./crossing-item.ts";
import type { Delivery } from "./delivery.ts";
import type { Forwarding } from "./forwarding.ts";
import type { GatheredLists } from "./gathered-lists.ts";
import type { Link, Links, Sender } from "./link.ts";
import { type Opens, unreachable } from "./opens.ts";
import type { Outbound } from "./outbound.ts";
import type { Presence } from "./presence.ts";

/** What carrying out the items of other shards needs. */
interface InboundStart {
  readonly links: Links;
  readonly access: Access;
  readonly delivery: Delivery;
  readonly forwarding: Forwarding;
  readonly opens: Opens;
  readonly outbound: Outbound;
  readonly lists: GatheredLists;
  readonly presence: Presence;
  now(): number;
  /** The first page of the names that a link may know of, after a name. */
  namesFor(from: Sender, frame: Extract<Question, { kind: "list" }>["frame"]): RouterFrame;
}

/** Carries out what other shards tell. Links that have to end are given up, as delivery does. */
export class Inbound {
  readonly #start: InboundStart;

  constructor(start: InboundStart) {
    this.#start = start;
  }

  take(item: CrossingItem, shard: number): void {
    const { outbound, presence } = this.#start;
    switch (item.kind) {
      case "segment":
        this.#segment(item.who, item.bytes);
        break;
      case "open":
      case "resume":
        this.#pairUp(item);
        break;
      case "list":
        outbound.say(item.who.address, this.#start.namesFor(outbound.know(item.who), item.frame));
        break;
      case "say":
        this.#said(item.to, item.frame, item.who);
        break;
      case "gone":
        for (const to of item.to) this.#gone(to, item.address, item.reason);
        break;
      case "subscribe":
        outbound.subscribe(shard, item.patterns);
        break;
      case "roster": {
        const { request } = item.frame;
        outbound.sessions({ to: item.who.address, request, ...presence.roster(item.frame) });
        break;
      }
      case "sessions":
        presence.rosterCame(item);
        break;
      case "presence":
        presence.remoteChanged(item.change, item.session);
        break;
      case "fault": {
        const link = this.#start.links.byAddress(item.to);
        if (link !== undefined) this.#start.delivery.giveUp({ link, closing: malformed(item.problem), unsentBytes: 0 });
      }
    }
  }

  #segment(who: Stranger, bytes: Uint8Array): void {
    const { forwarding, outbound } = this.#start;
    const from = outbound.know(who);
    try {
      if (!forwarding.segmentFrom(from, bytes)) outbound.gone(who.address, u32At(bytes, 0));
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      outbound.fault(who.address, error.message);
    }
  }

  #pairUp(item: Extract<Question, { kind: "open" | "resume" }>): void {
    const { access, delivery, opens, outbound } = this.#start;
    const from = outbound.know(item.who);
    const nowMs = this.#start.now();
    const { frame, to, callsByLabel, mayDiffer } =
      item.kind === "open" ? opens.openFrom(from, item.frame, nowMs) : opens.resumeFrom(from, item.frame, nowMs);
    outbound.say(from.address, frame, to && { link: to, callsByLabel: callsByLabel === true });
    if (to === undefined || mayDiffer !== true || access.areAllOpen(from, to)) return;
    delivery.say(to, { kind: "rulesChanged", address: from.address });
    outbound.say(from.address, { kind: "rulesChanged", address: to.address });
  }

  #said(to: number, frame: RouterFrame, who: PairedStranger | undefined): void {
    const { delivery, links, lists, outbound } = this.#start;
    const link = links.byAddress(to);
    if (frame.kind === "peers") lists.answered(to, frame);
    else if (link === undefined) {
      if (who !== undefined) outbound.gone(who.link.address, to);
    } else if (who === undefined) delivery.say(link, frame);
    else {
      const isByName = link.format.addressing === "name";
      // Only opens pair clients of by-name formats.
      const routed = frame.kind === "routed" ? frame : undefined;
      if (outbound.pair(link, who, isByName ? routed?.peer : undefined)) delivery.say(link, frame);
      else if (isByName && routed !== undefined) {
        const reason = "Too many peers, or the peer opened to this client at the same time: try again";
        delivery.say(link, { kind: "refused", connection: routed.connection, code: errorCodes.busy, reason });
      }
      // The client asks again, when some of its peers have gone.
      else delivery.giveUp({ link, closing: closings.unanswered, unsentBytes: 0 });
    }
  }

  #gone(to: number, address: number, reason: number): void {
    const link = this.#start.links.byAddress(to);
    if (link?.pairs.has(address) !== true) return;
    this.#start.delivery.sayGone(link, { address }, reason);
    link.pairs.remove(address);
  }

  /** Questions get no answer any more. @param sent whether the other shard may have carried them out */
  lost(questions: readonly Question[], sent: boolean): void {
    const { delivery, links, lists } = this.#start;
    for (const { kind, who, frame } of questions) {
      const link: Link | undefined = links.byAddress(who.address);
      if (kind === "list") lists.forget(who.address, frame);
      // Watches are told everything again.
      if (link === undefined || kind === "roster") continue;
      if (kind === "resume") {
        const { session, peer } = frame;
        delivery.say(link, { kind: "absent", session, reason: goneReasons.lost, peer });
      } else if (kind === "open" && (!sent || link.format.addressing === "name"))
        // A client of a by-name format can't come back, and needn't: the pair of an open that arrived has ended.
        delivery.say(link, unreachable(frame.connection));
      else delivery.giveUp({ link, closing: closings.unanswered, unsentBytes: 0 });
    }
  }
}
