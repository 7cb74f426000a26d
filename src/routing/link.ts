import type { Format, Speaker, WireMessage } from "@messagepasser/protocol/formats";
import { Meter } from "./unread.ts";
import { OpenRate } from "./open-rate.ts";
import { Outbox } from "./outbox.ts";

/** What routing needs of a client's link. The object backs it with a WebSocket and its attachment. */
export interface Link extends Speaker {
  /** How the client wants its messages written. */
  readonly format: Format;
  /** What a guest was invited for; absent for clients that came by a secret of their own. */
  readonly grant?: Grant | undefined;
  /** Unique in the life of the object; never 0. */
  readonly address: number;
  readonly session: string;
  /** Whether the client chose its session and has a format for it, and so can come back in it. */
  readonly resumes: boolean;
  /** Addresses of links that this one may exchange segments with. */
  readonly pairs: Pairs;
  /** When something was last heard of the client, as far as is known without memory. */
  readonly lastHeardMs: number;
  readonly memory: LinkMemory;
  send(message: WireMessage): void;
  /** Tells the client why its link ends, and ends it. Does nothing to one that is closing already. */
  close(code: number, reason: string, delayMs: number): void;
}

/** What an invitation lets its guest do. */
export interface Grant {
  /** The client that invited: rules are those for it, and what ends it ends the guest. */
  readonly host: string;
  /** Patterns of whom the guest may open what to. */
  readonly peer: string;
  readonly protocol: string;
  /** Milliseconds since 1970. */
  readonly expiresAtMs: number;
}

/** Whom rules are about: a guest stands for who invited it. */
export function principalOf({ name, grant }: { readonly name: string; readonly grant?: Grant | undefined }): string {
  return grant?.host ?? name;
}

/** What routing knows of a link while it has memory: after a wake all of it begins anew. */
export class LinkMemory {
  readonly meter = new Meter();
  readonly opens = new OpenRate();
  readonly outbox = new Outbox();
  /** When the last message of the client came. */
  heardAtMs = 0;
  /** The router dropped the link, or it is gone: nothing goes to it, and nothing that comes from it counts. */
  isOver = false;
}

/** A link's list of pairs, which is kept where it survives hibernation, and so has a bound. */
export interface Pairs extends Iterable<number> {
  /** Whether an address found no room here, so that only the other link lists the pair. */
  readonly overflowed: boolean;
  /** Whether the list has no room for another address. */
  readonly isFull: boolean;
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
  /** How many are known without a look for others: since the object is in memory, these came or were heard of. */
  readonly knownCount: number;
  /** All of them: slow, for what is rare. */
  all(): Iterable<Link>;
  /** Takes a new link in: from now on it is found, and can be sent to. */
  add(link: Link): void;
  /** From now on the link isn't found any more. */
  remove(link: Link): void;
}

/** Those of some addresses that there are. */
export function* linksAt(links: Links, addresses: Iterable<number>): Iterable<Link> {
  for (const address of addresses) {
    const link = links.byAddress(address);
    if (link !== undefined) yield link;
  }
}

/** Whether the router let an open or a resume between two links through: at least one of them lists the other. */
export function arePaired(one: Link, other: Link): boolean {
  return one.pairs.has(other.address) || other.pairs.has(one.address);
}

/** Whether one of two links has room to list the other, or lists it already. */
export function canPair(one: Link, other: Link): boolean {
  return arePaired(one, other) || !one.pairs.isFull || !other.pairs.isFull;
}

/** Lets two links exchange segments. At least one of them must have room to list the other. */
export function pair(one: Link, other: Link): void {
  if (!one.pairs.add(other.address)) one.pairs.overflow();
  if (!other.pairs.add(one.address)) other.pairs.overflow();
}
