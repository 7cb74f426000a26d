import type { TokenRights } from "@messagepasser/protocol";
import type { Format, Speaker, WireMessage } from "@messagepasser/protocol/formats";
import type { Meter } from "./meter.ts";
import { Outbox } from "./outbox.ts";
import type { Services } from "./services.ts";

/** A client and a built-in peer alike, as frames name them. */
export interface Endpoint {
  /** Unique in the life of the realm; never 0. */
  readonly address: number;
  readonly name: string;
  /** How frames call it: by its name, and by its session's instance if it has one. */
  readonly label: string;
}

/** A client's link as the one at the other end of a pair needs it: a link of this object, or of another shard. */
export interface Sender extends Endpoint {
  /** The format of the client's messages. */
  readonly format: Format;
  /** What a guest may do; absent for a client with a secret of its own. */
  readonly grant?: Grant | undefined;
  /** What the holder of a token may do; absent for all others. */
  readonly token?: TokenGrant | undefined;
  readonly session: string;
  /** What the client calls this one of its sessions; empty for none. A name has at most one session of an instance. */
  readonly instance: string;
  /** The links that this link may exchange segments with. */
  readonly pairs: Pairs;
  readonly memory: LinkMemory;
}

/** A client's link, as routing needs it. The realm's object backs it with a WebSocket and an attachment. */
export interface Link extends Sender, Speaker {
  /** When the session began, in milliseconds since 1970, as far as is known after an end of the object. */
  sinceMs: number;
  /** What the session serves; `undefined` until its client says so. */
  services: Services | undefined;
  /** Whether the client can come back in this session: it chose the session, and its format has addresses. */
  readonly resumes: boolean;
  /** What the client watches, if anything. Survives hibernation. */
  watches: KeptWatches | undefined;
  /** When the last message of the client arrived, in milliseconds since 1970, as far as is known after a wake. */
  readonly lastHeardMs: number;
  send(message: WireMessage): void;
  /** Tells the client why its link ends, and closes it. Does nothing to a link that is closing already. */
  close(code: number, reason: string, delayMs: number): void;
}

/** What an invitation allows its guest. */
export interface Grant {
  /** The client that invited the guest. Its rules are the guest's, and the end of its secret ends the guest. */
  readonly host: string;
  /** Patterns of the peers and the protocols that the guest may open. */
  readonly peer: string;
  readonly protocol: string;
  /** Patterns of the protocols that others may open to the guest. */
  readonly serves: readonly string[];
  /** Milliseconds since 1970. */
  readonly expiresAtMs: number;
}

/** What a token allows its holder, within the realm's rules. */
export interface TokenGrant {
  /** The id of the key that signed the token. */
  readonly key: string;
  /** Milliseconds since 1970. */
  readonly expiresAtMs: number;
  readonly rights: TokenRights;
}

/** What a client watches, as its link keeps it while the object is not in memory. */
export interface KeptWatches {
  readonly watches: readonly { readonly request: number; readonly pattern: string }[];
  /** Whether something was not told yet, so that after a wake everything must be told again. */
  readonly isBehind: boolean;
}

/** The client whose rules hold: for a guest its host. */
export function principalOf({ name, grant }: { readonly name: string; readonly grant?: Grant | undefined }): string {
  return grant?.host ?? name;
}

/** What routing remembers about a link only while the object is in memory. After a wake it is new. */
export class LinkMemory {
  /** What is unread of the link, once something was sent to it or asked by it. */
  meter: Meter | undefined;
  readonly outbox = new Outbox();
  /** When the client's last message came, in milliseconds since 1970. */
  heardAtMs = 0;
  /** What of these services the client may serve by its invitation or token, once a watcher was told. */
  served: { readonly services: Services | undefined; readonly patterns: readonly string[] } | undefined;
  /** When the session was last chosen for an open, as a count of choices. */
  chosenAt = 0;
  /** Whether the router gave the link up, or its socket is closed: it gets nothing more, and its messages are ignored. */
  isOver = false;
}

/** A link's list of pairs. It survives hibernation in an attachment, so its length is limited. */
export interface Pairs extends Iterable<number> {
  /** Whether an address found no room here, so that only the other link lists the pair. */
  readonly overflowed: boolean;
  /** Whether the list has no room for another address. */
  readonly isFull: boolean;
  has(address: number): boolean;
  /**
   * Whether another session has the name, so that a client of a by-name format calls its peer by a label. That client is the
   * one whose list this is; for an address of another shard it is the one at the address.
   */
  hasLabel(address: number): boolean;
  /** What the client, of a by-name format, calls the peer at an address of another shard; `undefined` for any other address. */
  callOf(address: number): string | undefined;
  /** The address of another shard whose client is called so. */
  addressOf(call: string): number | undefined;
  /** Whether there is room for an address of another shard with this call. */
  hasRoomFor(call: string): boolean;
  /** Adds an address; false if there is no room. @param entry what the list keeps with it, as above. Default: nothing */
  add(address: number, entry?: PairEntry): boolean;
  remove(address: number): void;
  /** Notes that another link lists a pair that found no room here. */
  overflow(): void;
}

/** What a link's list keeps about one pair, besides the address. */
export interface PairEntry {
  readonly hasLabel?: boolean;
  readonly call?: string | undefined;
}

/** The links of a realm. */
export interface Links {
  byAddress(address: number): Link | undefined;
  /** The links of a name, each of another session: as they are now, whatever joins or leaves later. */
  named(name: string): readonly Link[];
  /** All links. Slow. */
  all(): Iterable<Link>;
  /** The links whose clients watch something, as far as they were noted. */
  watching(): Iterable<Link>;
  /** Notes the addresses of all links whose clients watch something. Outlives hibernation. */
  noteWatching(addresses: readonly number[]): void;
  /** Adds a new link: from now on it is found, and can be sent to. */
  add(link: Link): void;
  /** Removes a link: from now on it isn't found. */
  remove(link: Link): void;
}

/** The links at these addresses, as far as there are any. */
export function* linksAt<Each extends Link>(
  links: { byAddress(address: number): Each | undefined },
  addresses: Iterable<number>,
): Iterable<Each> {
  for (const address of addresses) {
    const link = links.byAddress(address);
    if (link !== undefined) yield link;
  }
}

/** Whether the router let an open or a resume between two links through: at least one of them lists the other. */
export function arePaired(one: Sender, other: Sender): boolean {
  return one.pairs.has(other.address) || other.pairs.has(one.address);
}

/** Whether one of two links has room to list the other, or lists it already. */
export function canPair(one: Sender, other: Sender): boolean {
  return arePaired(one, other) || !one.pairs.isFull || !other.pairs.isFull;
}

/** From now on two links exchange nothing. */
export function unpair(one: Link, other: Link): void {
  one.pairs.remove(other.address);
  other.pairs.remove(one.address);
}

/** What the lists of two links keep about their pair. */
export interface PairEntries {
  readonly one: PairEntry;
  readonly other: PairEntry;
}

/** Lets two links exchange segments. At least one of them must have room to list the other, and one that keeps something about it. */
export function pair(one: Sender, other: Sender, entries: PairEntries): void {
  if (!one.pairs.add(other.address, entries.one)) one.pairs.overflow();
  if (!other.pairs.add(one.address, entries.other)) other.pairs.overflow();
}
