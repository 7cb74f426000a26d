import { goneReasons, hostInName, type RouterFrameOf } from "@messagepasser/protocol";
import type { Delivery } from "./delivery.ts";
import { arePaired, type Link, type Links, linksAt, principalOf, type Sender, unpair } from "./link.ts";
import { type Entitled, isNarrowed, mayReach, openingProblem, servesNothing, servingProblem } from "./rights.ts";
import type { ClientName, Rules } from "./rules.ts";

/** One side of an open: a link, or the name of a client that may not be connected. */
export type Party = Pick<Link, "name"> & Entitled;

/** What a client may know of another one: nothing, that it is there, or also what it serves. */
export type Sight = "nothing" | "presence" | "services";

/** Which opens the realm's rules, invitations and tokens allow, and what changed rules do to what is open. */
export class Access {
  readonly #links: Links;
  readonly #delivery: Delivery;
  readonly #rules: () => Rules;

  constructor(links: Links, delivery: Delivery, rules: () => Rules) {
    this.#links = links;
    this.#delivery = delivery;
    this.#rules = rules;
  }

  /** Why a client may not open a protocol to a peer, or `undefined`. */
  denialOf(opener: Party, peer: Party, protocol: string): string | undefined {
    const problem = openingProblem(opener, peer.name, protocol) ?? servingProblem(peer, protocol);
    if (problem !== undefined) return problem;
    const { isAllowed, line } = this.#rules().decide(clientName(opener), clientName(peer), protocol);
    return isAllowed ? undefined : `Line ${line} of the realm's rules doesn't allow it`;
  }

  /** Why a client may not open a protocol to anybody of a name, or `undefined`. */
  denialOfName(opener: Party, name: string, protocol: string): string | undefined {
    const denial = this.denialOf(opener, { name }, protocol);
    const host = denial === undefined ? undefined : hostInName(name);
    if (host === undefined) return denial;
    // The client of that name may be a guest, to which other rules apply.
    const grant = { host, peer: "", protocol: "", serves: ["*"], expiresAtMs: 0 };
    return this.denialOf(opener, { name, grant }, protocol) && denial;
  }

  /** The links of a name, which `denialOfName` does not deny to a client, without those of which it may know nothing. */
  seenAmong(opener: Party, links: readonly Link[]): readonly Link[] {
    if (links.every(isDecidedByName)) return links;
    return links.filter((link) => isDecidedByName(link) || this.sightOf(opener, link) !== "nothing");
  }

  /** Those among such links to which a client may open a protocol. */
  acceptorsAmong(opener: Party, links: readonly Link[], protocol: string): readonly Link[] {
    if (links.every(isDecidedByName)) return links;
    // By host, if any: rules are long, and a name may have many guests.
    const decisions = new Map<string | undefined, boolean>();
    return links.filter((link) => {
      if (isDecidedByName(link)) return true;
      if (servingProblem(link, protocol) !== undefined) return false;
      const host = link.grant?.host;
      const isAllowed =
        decisions.get(host) ?? this.#rules().decide(clientName(opener), clientName(link), protocol).isAllowed;
      decisions.set(host, isAllowed);
      return isAllowed;
    });
  }

  /** Whether one of two clients may open anything to the other. */
  isAnythingAllowed(one: Party, other: Party): boolean {
    const rules = this.#rules();
    return mayOpenSomething(one, other, rules) || mayOpenSomething(other, one, rules);
  }

  /** What a client may know of another one. What a guest serves is for those that may open something to it. */
  sightOf(one: Party, other: Party, rules = this.#rules()): Sight {
    if (mayOpenSomething(one, other, rules)) return "services";
    // A client knows its own sessions and guests.
    const isOwn = one.grant === undefined && principalOf(other) === one.name;
    if (!isOwn && !mayOpenSomething(other, one, rules)) return "nothing";
    return isNarrowed(other) ? "presence" : "services";
  }

  /**
   * Answers a client that asks whether its Connections of one protocol may go on.
   *
   * @param to the peer at the address, if there is one
   * @param isWithinRate whether the client stays within its rate of opens
   */
  check(
    from: Link,
    { address, opener, protocol }: RouterFrameOf<"check">,
    { to, isWithinRate }: { readonly to: Sender | undefined; readonly isWithinRate: boolean },
  ): void {
    if (to === undefined || !arePaired(from, to)) return;
    const [opening, peer] = opener === 0 ? [to, from] : [from, to];
    const reason = isWithinRate ? this.denialOf(opening, peer, protocol) : "Too many checks at once";
    if (reason !== undefined) this.#delivery.say(from, { kind: "denied", address, opener, protocol, reason });
  }

  /** Applies new rules: tells paired clients whose rules differ, and unpairs those that may open nothing to each other. */
  changeRules(before: Rules): void {
    for (const [one, other] of pairsOf(this.#links)) {
      // A link may have been given up while another pair was told.
      if (!arePaired(one, other) || one.memory.isOver || other.memory.isOver) continue;
      const change = this.changeFor(one, other, before);
      if (change === "check") this.#sayChanged(one, other);
      if (change !== "end") continue;
      this.#delivery.sayGone(one, other, goneReasons.forbidden);
      // A client may have opened to itself.
      if (one !== other) this.#delivery.sayGone(other, one, goneReasons.forbidden);
      unpair(one, other);
    }
  }

  /** What new rules do to a pair: nothing; or its clients have to check their Connections; or it ends. */
  changeFor(one: Sender, other: Sender, before: Rules): "nothing" | "check" | "end" {
    const after = this.#rules();
    const isSame = (opener: ClientName, peer: ClientName): boolean =>
      before.digest(opener, peer) === after.digest(opener, peer);
    const names = [clientName(one), clientName(other)] as const;
    if (isSame(names[0], names[1]) && isSame(names[1], names[0])) return "nothing";
    const canCheck = one.format.addressing === "address" || other.format.addressing === "address";
    return canCheck && this.isAnythingAllowed(one, other) ? "check" : "end";
  }

  /** Two links are paired again. Rules and rights may have changed meanwhile, unless they allow everything between the two. */
  resumed(one: Link, other: Link): void {
    if (!this.areAllOpen(one, other)) this.#sayChanged(one, other);
  }

  /** Whether rules and rights allow two clients everything with each other. */
  areAllOpen(one: Party, other: Party): boolean {
    const rules = this.#rules();
    const isOpen = (opener: Party, peer: Party): boolean => rules.areAllOpen(clientName(opener), clientName(peer));
    return !isNarrowed(one) && !isNarrowed(other) && isOpen(one, other) && isOpen(other, one);
  }

  /** Each client knows its Connections: it asks for each protocol, and ends what is no longer allowed. */
  #sayChanged(one: Link, other: Link): void {
    for (const [to, { address }] of one === other
      ? ([[one, one]] as const)
      : ([
          [one, other],
          [other, one],
        ] as const)) {
      if (to.format.addressing === "address") this.#delivery.say(to, { kind: "rulesChanged", address });
    }
  }
}

function mayOpenSomething(opener: Party, peer: Party, rules: Rules): boolean {
  if (!mayReach(opener, peer.name) || servesNothing(peer)) return false;
  return rules.isAnythingAllowed(clientName(opener), clientName(peer));
}

/** Whether its name alone says what may be opened to a link. */
function isDecidedByName(link: Link): boolean {
  return !isNarrowed(link) && hostInName(link.name) === undefined;
}

function clientName({ name, grant }: Party): ClientName {
  return grant === undefined ? name : { host: grant.host, guest: name };
}

/** All pairs of links, each once. */
function pairsOf(links: Links): [Link, Link][] {
  return Array.from(links.all()).flatMap((link) =>
    Array.from(linksAt(links, link.pairs))
      .filter((other) => !other.pairs.has(link.address) || link.address <= other.address)
      .map((other): [Link, Link] => [link, other]),
  );
}
