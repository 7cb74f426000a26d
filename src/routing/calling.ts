// How a client of a by-name format calls the sessions of its peers. Its frames have a name and no address, so one session
// of each name is called by the name alone, and all others by a label that no other session has.
import { labelOf, splitLabel } from "@messagepasser/protocol";
import { arePaired, type Endpoint, type Link, type Links, type PairEntries, type Pairs, type Sender } from "./link.ts";
import { RemoteLink } from "./remote-link.ts";

/** The other end of a pair. For a link of another shard, where nothing else is known of it, the address is enough. */
type Peer = Pick<Endpoint, "address"> &
  Partial<Endpoint> & { readonly instance?: string; readonly pairs?: Pick<Pairs, "hasLabel"> };

/** How a by-name client calls a peer that it is paired with. */
export function callOf(by: Sender, peer: Peer): string {
  const call = by.pairs.callOf(peer.address);
  if (call !== undefined) return call;
  const hasLabel = by instanceof RemoteLink ? peer.pairs?.hasLabel(by.address) : by.pairs.hasLabel(peer.address);
  return hasLabel === true ? uniqueLabel(peer) : (peer.name ?? "");
}

/** How a by-name client calls a peer, or will call it once the two are paired. */
export function futureCallOf(links: Links, by: Sender, peer: Sender): string {
  if (arePaired(by, peer)) return callOf(by, peer);
  return isNameTaken(links, by, peer.name) ? uniqueLabel(peer) : peer.name;
}

/** The peer of this shard that the by-name client calls so, if the two are paired. */
export function calledBy(links: Links, by: Sender, call: string): Link | undefined {
  for (const peer of links.named(splitLabel(call).name))
    if (arePaired(by, peer) && callOf(by, peer) === call) return peer;
  return undefined;
}

/** Whether a by-name client calls some session by this name alone. Its own name stands for itself. */
export function isNameTaken(links: Links, by: Sender, name: string): boolean {
  return by.name === name || by.pairs.addressOf(name) !== undefined || calledBy(links, by, name) !== undefined;
}

/** Whether a by-name client calls a link so. */
export function isCalled(by: Sender, link: Link, call: string): boolean {
  return by.format.addressing === "name" && arePaired(by, link) && callOf(by, link) === call;
}

/** Whether a call is one that the router gave a session for a by-name client: no client chooses such a label. */
export function isOwnCall({ format }: Sender, call: string): boolean {
  return format.addressing === "name" && /^[^:]+:@\d+$/.test(call);
}

/**
 * What the lists of two clients will keep about how they call each other; `undefined` if there is no room for it.
 *
 * @param call what the opener calls the peer
 */
export function entriesOf(links: Links, opener: Sender, peer: Link, call: string): PairEntries | undefined {
  const isByLabel = opener.format.addressing === "name" && call !== peer.name;
  const callBack = peer.format.addressing === "name" ? futureCallOf(links, peer, opener) : undefined;
  if (opener instanceof RemoteLink) {
    const lacksRoom = callBack !== undefined && !arePaired(opener, peer) && !peer.pairs.hasRoomFor(callBack);
    return lacksRoom ? undefined : { one: {}, other: { hasLabel: isByLabel, call: callBack } };
  }
  const isCalledBack = callBack !== undefined && callBack !== opener.name;
  if ((isByLabel && isFullFor(opener, peer)) || (isCalledBack && isFullFor(peer, opener))) return undefined;
  return { one: { hasLabel: isByLabel }, other: { hasLabel: isCalledBack } };
}

/** Whether a link has no room to list another one. */
function isFullFor({ pairs }: Sender, { address }: Sender): boolean {
  return pairs.isFull && !pairs.has(address);
}

/** No instance begins with "@". */
function uniqueLabel({ name = "", instance = "", address }: Peer): string {
  return labelOf(name, instance === "" ? `@${address}` : instance);
}
