import { goneReasons, routerLimits } from "@messagepasser/protocol";
import { type Closing, closings, ofHolders, ofMoved } from "../routing/closings.ts";
import type { Grant } from "../routing/link.ts";
import type { Rules } from "../routing/rules.ts";
import { shardOf } from "../shards/address.ts";
import type { Place } from "./place.ts";
import type { Registry } from "./registry.ts";
import type { SocketLink } from "./socket-link.ts";
import type { SocketLinks } from "./socket-links.ts";

/** What ending links needs. */
interface ExpulsionsStart {
  readonly links: SocketLinks;
  readonly place: Place;
  /** Opened when it is needed. */
  registry(): Registry;
  rules(): Rules;
  /** As `Routing` has it. */
  drop(link: SocketLink, reason: number, closing: Closing): void;
}

/** Ends links that may not stay, since their secret, invitation or token doesn't hold any more. */
export class Expulsions {
  readonly #start: ExpulsionsStart;

  constructor(start: ExpulsionsStart) {
    this.#start = start;
  }

  /** A client's secrets have changed: its own links may have to end, and those of its guests. */
  ofClient(name: string): void {
    const { links, registry, drop } = this.#start;
    for (const link of [...links.named(name), ...links.guestsOf(name)])
      if (!registry().isValid(link)) drop(link, goneReasons.ended, closings.revoked);
  }

  /** Rules have changed: they may not let a client have guests any more. */
  ofUninvited(): void {
    const rules = this.#start.rules();
    this.#ofGuests(({ host }) => !rules.mayInvite(host), closings.uninvited);
  }

  /** Tokens were revoked, or a key was removed. */
  ofRevoked(): void {
    this.#ofHolders((link) => !this.#start.registry().isValid(link), goneReasons.ended, closings.tokenRevoked);
  }

  /** Invitations or tokens may have expired. Clients may come back with other tokens, so their Connections wait. */
  ofExpired(): void {
    const nowMs = Date.now();
    this.#ofGuests(({ expiresAtMs }) => expiresAtMs <= nowMs, closings.expired);
    const isOver = ({ token }: SocketLink): boolean => token !== undefined && token.expiresAtMs <= nowMs;
    this.#ofHolders(isOver, goneReasons.lost, closings.tokenExpired);
  }

  /** The object has too much to do: some of the busy links end, the newest first. */
  ofNewest(): void {
    const busy = this.#start.links.busySince(Date.now() - routerLimits.busyLinkMs);
    for (const link of busy.slice(0, Math.ceil(busy.length / routerLimits.shedOneIn)))
      this.#start.drop(link, goneReasons.lost, closings.overloaded);
  }

  /** Clients have another home since the realm has grown. */
  ofMoved(): void {
    const { links, place, drop } = this.#start;
    const moved = Array.from(links.all()).filter(
      ({ name, address }) => !place.isHomeOf(name) || shardOf(address) !== place.shard,
    );
    const closing = ofMoved(moved.length);
    for (const link of moved) {
      const isHolder = link.token !== undefined;
      drop(link, goneReasons.lost, isHolder ? ofHolders(closing, moved.length) : closing);
    }
  }

  #ofGuests(isOver: (grant: Grant) => boolean, closing: Closing): void {
    for (const guest of this.#start.links.guests())
      if (guest.grant !== undefined && isOver(guest.grant)) this.#start.drop(guest, goneReasons.ended, closing);
  }

  /** Those that are closed together don't come back together. */
  #ofHolders(isOver: (link: SocketLink) => boolean, reason: number, closing: Closing): void {
    const over = Array.from(this.#start.links.holders()).filter(isOver);
    for (const link of over) this.#start.drop(link, reason, ofHolders(closing, over.length));
  }
}
