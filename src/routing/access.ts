import { goneReasons, type RouterFrameOf } from "@messagepasser/protocol";
import type { Delivery } from "./delivery.ts";
import { arePaired, type Link, type Links, linksAt, principalOf, unpair } from "./link.ts";
import { patternOf } from "./pattern.ts";
import { mayReach, opensBy, servesBy, servesNothing } from "./token-rights.ts";
import type { Opener, Rules } from "./rules.ts";

/** One side of an open: a link, or the name of a client that may not be connected. */
export type Party = Pick<Link, "name"> & Partial<Pick<Link, "grant" | "token">>;

/** Which opens the realm's rules and a guest's invitation allow, and what changed rules do to what is open. */
export class Access {
  readonly #links: Links;
  readonly #delivery: Delivery;
  readonly #rules: () => Rules;

  constructor(links: Links, delivery: Delivery, rules: () => Rules) {
    this.#links = links;
    this.#delivery = delivery;
    this.#rules = rules;
  }

  /**
   * Why a client may not open a protocol to a peer, or `undefined`. A guest may open what its invitation says, if its host may,
   * and the holder of a token what the token says.
   */
  denialOf(opener: Party, peer: Party, protocol: string): string | undefined {
    const { grant, token } = opener;
    if (grant !== undefined && !(patternOf(grant.peer).fits(peer.name) && patternOf(grant.protocol).fits(protocol)))
      return `The invitation is for "${grant.protocol}" to "${grant.peer}"`;
    if (!opensBy(token, peer.name, protocol)) return `The token isn't for "${protocol}" to "${peer.name}"`;
    if (!servesBy(peer.token, protocol)) return "The peer's token doesn't let it serve this protocol";
    const { isAllowed, line } = this.#rules().decide(openerOf(opener), principalOf(peer), protocol);
    return isAllowed ? undefined : `Line ${line} of the realm's rules doesn't allow it`;
  }

  /** Whether one of two clients may open anything to the other. */
  isAnythingAllowed(one: Party, other: Party): boolean {
    const rules = this.#rules();
    return mayOpenSomething(one, other, rules) || mayOpenSomething(other, one, rules);
  }

  /** Whether a client may know that another one is there. */
  sees(one: Party, other: Party, rules = this.#rules()): boolean {
    // A client knows its own sessions and guests.
    const isOwn = one.grant === undefined && principalOf(other) === one.name;
    return isOwn || mayOpenSomething(one, other, rules) || mayOpenSomething(other, one, rules);
  }

  /** Answers a client that asks whether its Connections of one protocol may go on. @param isWithinRate see `OpenRate` */
  check(from: Link, { address, opener, protocol }: RouterFrameOf<"check">, isWithinRate: boolean): void {
    const to = this.#links.byAddress(address);
    if (to === undefined || !arePaired(from, to)) return;
    const [opening, peer] = opener === 0 ? [to, from] : [from, to];
    const reason = isWithinRate ? this.denialOf(opening, peer, protocol) : "Too many checks at once";
    if (reason !== undefined) this.#delivery.say(from, { kind: "denied", address, opener, protocol, reason });
  }

  /** Applies new rules: tells paired clients whose rules differ, and unpairs those that may open nothing to each other. */
  changeRules(before: Rules): void {
    const after = this.#rules();
    const isSame = (one: Link, other: Link): boolean => {
      const [opener, peer] = [openerOf(one), principalOf(other)];
      return before.digest(opener, peer) === after.digest(opener, peer);
    };
    for (const [one, other] of pairsOf(this.#links)) {
      // A link may have been given up while another pair was told.
      if (!arePaired(one, other) || one.memory.isOver || other.memory.isOver) continue;
      if (isSame(one, other) && isSame(other, one)) continue;
      const canCheck = one.format.addressing === "address" || other.format.addressing === "address";
      if (canCheck && this.isAnythingAllowed(one, other)) {
        this.#sayChanged(one, other);
        continue;
      }
      this.#delivery.sayGone(one, other, goneReasons.forbidden);
      // A client may have opened to itself.
      if (one !== other) this.#delivery.sayGone(other, one, goneReasons.forbidden);
      unpair(one, other);
    }
  }

  /** Two links are paired again. Rules and tokens may have changed meanwhile, unless they allow everything between the two. */
  resumed(one: Link, other: Link): void {
    const rules = this.#rules();
    const hasToken = one.token !== undefined || other.token !== undefined;
    const areAllOpen = (opener: Link, peer: Link): boolean =>
      !hasToken && rules.areAllOpen(openerOf(opener), principalOf(peer));
    if (!areAllOpen(one, other) || !areAllOpen(other, one)) this.#sayChanged(one, other);
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
  if (peer.grant !== undefined || (opener.grant && !patternOf(opener.grant.peer).fits(peer.name))) return false;
  if (!mayReach(opener.token, peer.name) || servesNothing(peer.token)) return false;
  return rules.isAnythingAllowed(openerOf(opener), principalOf(peer));
}

function openerOf({ name, grant }: Party): Opener {
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
