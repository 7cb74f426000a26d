import { goneReasons } from "@messagepasser/protocol";
import type { Closing } from "./closings.ts";
import type { Delivery, Flood, GivenUp } from "./delivery.ts";
import { LastSessions } from "./last-sessions.ts";
import type { Outbound } from "./outbound.ts";
import type { Presence } from "./presence.ts";
import { arePaired, type Link, type Links, linksAt, unpair } from "./link.ts";

/** What ending links needs. */
interface DeparturesStart {
  readonly links: Links;
  readonly delivery: Delivery;
  readonly presence: Presence;
  readonly outbound: Outbound;
  /** Of the platform; see `Runtime`. */
  readonly runtime: { now(): number; abort(reason: string): void };
}

/** Ends links: closes them, removes them, and tells the clients that they were paired with. */
export class Departures {
  readonly #links: Links;
  readonly #delivery: Delivery;
  readonly #presence: Presence;
  readonly #outbound: Outbound;
  readonly #runtime: DeparturesStart["runtime"];
  readonly lastSessions = new LastSessions();

  constructor({ links, delivery, presence, outbound, runtime }: DeparturesStart) {
    this.#links = links;
    this.#delivery = delivery;
    this.#presence = presence;
    this.#outbound = outbound;
    this.#runtime = runtime;
  }

  /** The router ends a link. Does nothing to a link that is over. */
  drop(link: Link, reason: number, closing: Closing): void {
    if (link.memory.isOver) return;
    this.#close(link, reason, closing);
    this.dropGivenUp();
  }

  /** A link's socket is closed: frees what was held for it, and tells its peers unless they know. */
  leave(link: Link, reason: number): void {
    this.#delivery.unread.end(this.#delivery.meterOf(link));
    if (link.memory.isOver) return;
    this.#forget(link, reason);
    this.dropGivenUp();
  }

  /** Carries out what `Delivery` has found: links that it has given up, and floods; and what it finds meanwhile. */
  dropGivenUp(): void {
    for (;;) {
      const flood = this.#delivery.takeFlood();
      if (flood !== undefined) this.#cut(flood);
      const givenUp = this.#delivery.takeGivenUp();
      if (givenUp !== undefined) this.#giveUp(givenUp);
      if (flood === undefined && givenUp === undefined) return;
    }
  }

  #giveUp({ link, closing, unsentBytes }: GivenUp): void {
    this.#close(link, goneReasons.lost, closing);
    if (this.#delivery.unread.isExhausted(this.#delivery.meterOf(link), unsentBytes))
      this.#runtime.abort("Clients that don't read hold all the memory there is for them");
  }

  /** Cuts the pairs of a link with a principal that flooded it, and keeps the two apart for a while. */
  #cut({ to, payer }: Flood): void {
    const { account, inflow } = this.#delivery.meterOf(to);
    inflow.of(payer).isCut = false;
    account.bar(payer, this.#runtime.now());
    const others = to.pairs.overflowed ? this.#links.all() : linksAt(this.#links, to.pairs);
    for (const other of others) {
      if (!arePaired(to, other) || this.#delivery.meterOf(other).account.payerTo(account) !== payer) continue;
      // The pair can come again, and until then the Connections wait.
      this.#delivery.sayGone(to, other);
      this.#delivery.sayGone(other, to);
      unpair(to, other);
    }
    this.#outbound.cutPayer(to, payer);
  }

  #close(link: Link, reason: number, { code, reason: text, delayMs }: Closing): void {
    link.memory.isOver = true;
    this.#delivery.unread.close(this.#delivery.meterOf(link));
    this.#delivery.empty(link);
    // Before the link is removed: an open socket without a link counts as a link of another version.
    link.close(code, text, delayMs);
    this.#forget(link, reason);
  }

  #forget(link: Link, why: number): void {
    link.memory.isOver = true;
    this.#links.remove(link);
    this.#presence.left(link);
    // The session of a client that can't come back is over.
    const reason = why === goneReasons.lost && !link.resumes ? goneReasons.ended : why;
    const others = link.pairs.overflowed ? this.#links.all() : linksAt(this.#links, link.pairs);
    const waiting: number[] = [];
    for (const other of others) {
      if (other === link || !arePaired(link, other)) continue;
      this.#delivery.sayGone(other, link, reason);
      other.pairs.remove(link.address);
      if (reason === goneReasons.lost) waiting.push(other.address);
    }
    const elsewhere = this.#outbound.left(link, reason);
    if (reason === goneReasons.lost) waiting.push(...elsewhere);
    this.lastSessions.note(link, waiting);
  }

  /**
   * A link has joined. If its session had a link before, its peers may still use what they were granted then; another
   * session of its instance is over, as its peers are told.
   */
  joined(link: Link): void {
    const { label, session } = link;
    const last = this.lastSessions.take(link);
    if (last === undefined) return;
    if (last.session === session) {
      const meter = this.#delivery.meterOf(link);
      meter.allowanceBytes = Math.max(meter.allowanceBytes, last.allowanceBytes);
      link.sinceMs = last.sinceMs;
      return;
    }
    const reason = goneReasons.superseded;
    const absent = { kind: "absent", session: last.session, reason, peer: label } as const;
    for (const address of last.waiting) {
      const other = this.#links.byAddress(address);
      if (other === undefined) this.#outbound.say(address, absent);
      // A client of a by-name format was told that its Connections are over.
      else if (other.format.addressing === "address") this.#delivery.say(other, absent);
    }
  }
}
